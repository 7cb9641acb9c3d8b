"""The configuration: what is refused, with the very words, and what is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab
from responder.config import Config, load_config
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
        "c.yml:1: channels[0]: no kind is set; add `kind:`, one of log, webhook"
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
    "database: postgresql://u:p@db/vigie": (
        "c.yml:1: database: not SQLite; PostgreSQL is not supported yet; "
        "give a file's path or a sqlite:// URL"
    ),
    "patrol: {interval: 10m}": (
        "c.yml:1: patrol: unknown setting; known: analyst, channels, concurrency, database, "
        "external_url, incidents, limits, sources, topology, webhook"
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
    runbooks = config.runbooks()
    assert runbooks is not None
    assert runbooks.is_dir()
