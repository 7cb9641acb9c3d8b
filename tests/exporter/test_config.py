"""The configuration: what is refused, with which words, and what is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from exporter import config, describe
from exporter.check import checks
from exporter.probe import probe_of, probes
from exporter.probes.openai_chat import OpenAIChat
from toolkit.settings import ConfigError

CONFIGS = Path(__file__).parent / "configs"
ENVIRON = {"TOKEN": "t0ken-value"}

WHOLE = """
defaults: {interval: 20s, timeout: 5s}
budget: {tokens_per_day: 300000}
targets:
  - name: chat
    kind: openai_chat
    url: https://chat.example
    dialect: mistral
    model: m
    interval: 1m
    pace: {fastest: 10s, slowest: 5m}
    auth: {bearer: {env: TOKEN}}
    tls: {ca_file: ca.pem, server_name: inner.example}
    labels: {team: search, service: chat}
    canaries:
      - name: capital
        prompt: What is the capital of France?
        checks: [{regex: '(?i)paris'}, {max_ttft: 2s}]
        required: 2 of 3
    checks: [{max_duration: 9s}]
    native: {url: 'http://chat.example:8000/metrics', server: vllm}
    budget: {tokens_per_day: 200000, skip_if_waiting_over: 20}
  - name: scorer
    kind: http
    url: http://scorer.example/infer
    method: POST
    headers: {Content-Type: application/json}
    body: '{}'
    valid_status: [200, 202]
    checks: [{json_schema: {type: object, required: [outputs]}}]
probe_modules:
  canary: {kind: openai_chat, model: m, allow_targets: ['*.example', '10.0.0.1:8000']}
"""


def written(tmp_path: Path, text: str) -> Path:
    """Write a configuration to read."""
    path = tmp_path / "exporter.yml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yml")), ids=lambda path: path.stem)
def test_broken_configuration_is_refused_in_these_words(path: Path) -> None:
    """A file with a fault is refused; the text beside it is the message, all problems in it."""
    with pytest.raises(ConfigError) as refused:
        config.load(path, environ=ENVIRON)
    said = str(refused.value).replace(str(path), path.name)
    assert said + "\n" == path.with_suffix(".txt").read_text()


def test_there_are_enough_broken_configurations() -> None:
    """At least 25 faults are pinned, each with its text."""
    files = list(CONFIGS.glob("*.yml"))
    assert len(files) >= 25
    assert {file.with_suffix(".txt") for file in files} == set(CONFIGS.glob("*.txt"))


def test_no_message_shows_a_secret() -> None:
    """What could be a credential is in no message."""
    told = "".join(path.read_text() for path in CONFIGS.glob("*.txt"))
    assert not [word for word in ("s3cret-pw", "sk-live", "t0ken-value") if word in told]


def test_whole_configuration_is_read(tmp_path: Path) -> None:
    """Defaults fill in, and each setting arrives where it belongs."""
    read = config.load(written(tmp_path, WHOLE), environ=ENVIRON)
    chat, scorer = read.targets
    assert isinstance(chat, OpenAIChat)
    assert (chat.interval_seconds, chat.timeout_seconds) == (60, 5)
    assert chat.pace is not None
    assert (chat.pace.fastest, chat.pace.slowest) == (10, 300)
    assert read.tokens_per_day == 300_000
    assert (scorer.interval_seconds, scorer.host) == (20, "scorer.example")
    (question,) = probe_of(chat).questions()
    assert [checks.kind_of(check) for check in question.checks] == [
        "regex",
        "max_ttft",
        "max_duration",
    ]
    assert (question.required.needed, question.required.among) == (2, 3)
    assert chat.tls is not None
    assert chat.tls.ca_file == tmp_path / "ca.pem"
    assert read.modules["canary"].timeout_seconds == 5


def test_secret_is_in_no_dump(tmp_path: Path) -> None:
    """Neither repr nor JSON of a configuration shows the token."""
    read = config.load(written(tmp_path, WHOLE), environ=ENVIRON)
    shown = repr(read) + "".join(target.model_dump_json() for target in read.targets)
    assert "t0ken-value" not in shown
    assert "<secret>" in shown


def test_what_is_unlikely_meant_is_warned_of(tmp_path: Path) -> None:
    """Budgets under the runs' cost and a missing CA file are warnings, not faults."""
    text = WHOLE.replace("200000", "1000").replace("300000", "2000")
    warnings = list(config.load(written(tmp_path, text), environ=ENVIRON).warnings())
    assert [warning.split(" ")[1] for warning in warnings] == ["tls.ca_file", "the", "targets:"]


def test_schema_is_a_schema_and_takes_the_whole_file() -> None:
    """The JSON Schema is valid, and names every kind."""
    schema = config.schema()
    Draft202012Validator.check_schema(schema)
    text = json.dumps(schema)
    assert all(f'"{kind}"' in text for kind in (*probes.kinds(), *checks.kinds()))


def test_reference_names_every_kind_and_setting() -> None:
    """The printed reference is made from the models: nothing in them is missing."""
    text = describe.reference()
    for registry in (probes, checks):
        for kind, model in registry.items():
            assert f"{kind}\n" in text
            fields = getattr(model, "model_fields", {})
            assert all(f"    {name}: " in text for name in fields)
            assert all(field.description for field in fields.values())
