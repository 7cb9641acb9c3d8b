"""Settings of channels that are refused: each with its place, problem and remedy."""

from __future__ import annotations

import pytest

from responder.config import Config
from toolkit.problem import ConfigError
from toolkit.settings import parse

ENVIRON = {"T": "xoxb-secret-of-mine"}
EMAIL = "kind: email, host: smtp.example.org, sender: vigie@example.org, to: [a@example.org]"
SLACK = "kind: slack, token: {env: T}, channel: C024BE91L"


@pytest.mark.parametrize(
    "settings",
    [
        "kind: log, horizon: 1h",
        'kind: webhook, url: "https://example.org/hook", bearer: {env: T}',
        SLACK,
        f"{EMAIL}, username: vigie, password: {{env: T}}",
    ],
)
def test_the_examples_are_read(settings: str) -> None:
    """What the docstrings show is taken."""
    parse(f"channels: [{{{settings}}}]", "responder.yml", Config, environ=ENVIRON)


@pytest.mark.parametrize(
    ("settings", "path", "words"),
    [
        ("kind: log, horizon: 0s", "channels[0].horizon", "greater than 0"),
        ("kind: slack, channel: C024BE91L", "channels[0].token", ""),
        (SLACK.replace("C024BE91L", "'#ops'"), "channels[0].channel", "copy it from"),
        (f"{SLACK}, server: 'http://slack.com/api'", "channels[0].server", "use https"),
        (f"{SLACK}, server: 'ftp://x'", "channels[0].server", "write it like"),
        (EMAIL.replace("a@example.org", "'a\\nb@x'"), "channels[0].to[0]", "write it like"),
        (EMAIL.replace("[a@example.org]", "[]"), "channels[0].to", ""),
        (EMAIL.replace("[a@", "[A@example.org, a@"), "channels[0]", "name each once"),
        (f"{EMAIL}, username: x", "channels[0]", "set both"),
        (
            f"{EMAIL}, username: x, password: {{env: T}}, security: none",
            "channels[0]",
            "starttls or tls",
        ),
        (f"{EMAIL}, ca_file: /nowhere.pem", "channels[0].ca_file", "give a PEM file"),
        (f"{EMAIL}, port: 0", "channels[0].port", ""),
        (f"{EMAIL}, timeout: 0s", "channels[0].timeout", ""),
        (EMAIL.replace("smtp.example.org", "'smtp.example.org/x'"), "channels[0].host", "like"),
    ],
)
def test_bad_settings_are_refused(settings: str, path: str, words: str) -> None:
    """The file's line, the setting's path, what is wrong and what to do; no secret."""
    with pytest.raises(ConfigError) as caught:
        parse(f"channels:\n  - {{{settings}}}", "responder.yml", Config, environ=ENVIRON)
    problem = caught.value.problems[0]
    assert problem.place.startswith("responder.yml:")
    assert problem.path.startswith(path)
    assert words in f"{problem.problem}; {problem.remedy}"
    assert "secret-of-mine" not in str(caught.value)
