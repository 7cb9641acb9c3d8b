"""The configuration: what is refused, with the very words, and what is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab
from responder.channel import channels
from responder.config import Config, load_config
from responder.patrol.look import looks
from toolkit.settings import ConfigError, parse

WRONG = {
    "databse: x.db": "c.yml:1: databse: unknown setting; did you mean 'database'?",
    "concurrency: 0": ("c.yml:1: concurrency: input should be greater than or equal to 1"),
    "concurrency: two": (
        "c.yml:1: concurrency: text is not a whole number; write it like 10, without quotes"
    ),
    "external_url: responder": (
        "c.yml:1: external_url: not a web URL; write it like http://responder.example.org:10918"
    ),
    "incidents: {quiet: 15}": ("c.yml:1: incidents.quiet: 15 has no unit; write 15s for seconds"),
    "webhook: {bearer: [hunter2]}": (
        "c.yml:1: webhook.bearer[0]: a secret is never written out; "
        "write {env: NAME} or {file: path}"
    ),
    "webhook: {bearer: [{env: UNSET}]}": (
        "c.yml:1: webhook.bearer[0]: variable UNSET: not set; set the variable"
    ),
    "channels: [{kind: webhok, url: http://x}]": (
        "c.yml:1: channels[0].kind: unknown channel 'webhok'; did you mean 'webhook'?"
    ),
    "channels: [{url: http://x}]": (
        "c.yml:1: channels[0]: no kind is set; add `kind:`, one of " + ", ".join(channels.kinds())
    ),
    "channels: [{kind: webhook}]": "c.yml:1: channels[0].url: required, but not set; add it",
    "channels: [{kind: webhook, url: 'ftp://x'}]": (
        "c.yml:1: channels[0].url: not a web URL; write it like https://example.org/hook"
    ),
    "channels: [{kind: webhook, url: 'https://u:p@x'}]": (
        "c.yml:1: channels[0].url: a URL that holds credentials; use `bearer` instead"
    ),
    "channels: [{kind: log}, {kind: log}]": (
        "c.yml:1: channels: two channels named 'log'; give each its own `name`"
    ),
    "channels: [{kind: log, name: ' '}]": (
        "c.yml:1: channels: a channel without a name; give it a `name`"
    ),
    "database: mysql://u:p@db/vigie": (
        "c.yml:1: database: neither SQLite nor PostgreSQL; "
        "give a file's path or a URL such as postgresql://user@host/name"
    ),
    "rounds: {interval: 10m}": (
        f"c.yml:1: rounds: unknown setting; known: {', '.join(sorted(Config.model_fields))}"
    ),
    "patrol: {without: [latancy]}": (
        "c.yml:1: patrol.without: there is no look 'latancy'; "
        f"the looks are {', '.join(sorted(looks))}"
    ),
    "sources: [{kind: runbooks, folder: /no/where/../pages}]": (
        "c.yml:1: sources[0].folder: no folder at /no/pages; "
        "correct it; a relative path counts from the configuration file's folder"
    ),
    "{analyst: {kind: embedded, deadline: 19s}, limits: {stage: 20s}}": (
        "c.yml:1: analyst.deadline and 1s of grace do not fit into limits.stage; "
        "shorten analyst.deadline or lengthen limits.stage"
    ),
    "topology: {calls: [[a]]}": "c.yml:1: topology.calls[0][1]: required, but not set; add it",
    "limits: {source: 3m, stage: 1m}": (
        "c.yml:1: limits: source, stage and investigation do not fit; give each more than the last"
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said(text: str) -> None:
    """Each fault has its place, its path, and a remedy."""
    with pytest.raises(ConfigError) as refused:
        parse(text, "c.yml", Config, environ={})
    assert str(refused.value) == WRONG[text]


DATABASES = {
    "database: postgresql://u:hush@db/vigie": "postgresql://u:hush@db/vigie",
    "database: {env: WHERE}": "postgresql://u:hush@other/vigie",
    "database: some/file.db": "some/file.db",
}


@pytest.mark.parametrize("text", DATABASES)
def test_a_database_s_password_is_never_shown(text: str) -> None:
    """The place is known to who opens it, and the password to nobody else."""
    environ = {"WHERE": "postgresql://u:hush@other/vigie"}
    config = parse(text, "c.yml", Config, environ=environ)
    assert config.database_location() == DATABASES[text]
    assert "hush" not in f"{config!r} {config} {config.model_dump_json()}"


@pytest.mark.parametrize("place", ["mysql://u:hush@db/v", "postgresql://u:hush@db:port/v"])
def test_a_secret_place_that_is_wrong_is_not_shown(place: str) -> None:
    """The fault names the setting and the remedy alone."""
    with pytest.raises(ConfigError) as refused:
        parse("database: {env: WHERE}", "c.yml", Config, environ={"WHERE": place})
    assert "c.yml:1: database: " in str(refused.value)
    assert "hush" not in str(refused.value)


def test_every_fault_is_said_at_once() -> None:
    """Three faults in three lines are three lines."""
    text = "databse: x\nconcurrency: 0\nexternal_url: x\n"
    with pytest.raises(ConfigError) as refused:
        parse(text, "c.yml", Config, environ={})
    assert [problem.place for problem in refused.value.problems] == [
        "c.yml:1",
        "c.yml:2",
        "c.yml:3",
    ]


def test_the_lab_s_configuration_is_taken() -> None:
    """The shipped file loads, and says where the runbooks are."""
    config = load_config(Path(lab.__file__).parent / "responder.yml", {})
    assert config.policy().quiet_seconds == 15
    assert ("scorer", "features") in config.topology_record().calls
    (runbooks,) = config.runbooks()
    assert runbooks.is_dir()
