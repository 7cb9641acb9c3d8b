"""The reference and the schema leave nothing out that can be configured; registries are walked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from exporter import config, describe, editor
from exporter.check import checks
from exporter.dialect import DIALECTS
from exporter.discovery import discoveries
from exporter.native.names import SERVERS
from exporter.probe import probes
from tests.exporter.test_plugins import made
from tests.test_readme import of
from tests.tree import ROOT
from toolkit.settings import ConfigError

REGISTRIES: dict[str, Any] = {"probe": probes, "check": checks, "discovery": discoveries}
KINDS = [(noun, kind) for noun, registry in REGISTRIES.items() for kind in registry.kinds()]
FULL = [ROOT / "lab/exporter.yml", *sorted((ROOT / "deploy").rglob("exporter*.yml"))]


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    """Return the schema as a validator, itself held against the draft."""
    found = editor.schema()
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


@pytest.mark.parametrize(("noun", "kind"), KINDS)
def test_each_kind_is_described_with_all_its_settings(noun: str, kind: str) -> None:
    """A kind's block names each of its settings, says what it is for, and can be had alone."""
    text = describe.reference(kind)
    assert all(block in describe.reference() for block in text.split("\n\n"))
    model = REGISTRIES[noun].get(kind)
    for name, field in model.model_fields.items():
        assert f"    {name}: {field.description} (" in text


@pytest.mark.parametrize("name", [*DIALECTS, *SERVERS])
def test_each_dialect_and_server_is_described(name: str) -> None:
    """A dialect's block names the limit it sends, a server's every metric that is read."""
    text = describe.reference(name)
    if name in DIALECTS:
        assert DIALECTS[name].limit in text  # type: ignore[index]
        assert DIALECTS[name].root in text  # type: ignore[index]
    if name in SERVERS:
        for metric in SERVERS[name].metrics():
            assert all(each in text for each in metric.names)
        assert SERVERS[name].lacks in text


def test_an_unknown_name_brings_the_nearest() -> None:
    """A misspelt kind is said, with the one that was meant."""
    with pytest.raises(LookupError, match="did you mean 'openai_chat'"):
        describe.reference("openai_chta")


def faults(schema: Draft202012Validator, document: Any) -> Iterator[ValidationError]:
    """Yield what the schema has against a configuration."""
    yield from schema.iter_errors(json.loads(json.dumps(document)))


@pytest.mark.parametrize("path", FULL, ids=lambda path: str(path.relative_to(ROOT)))
def test_schema_takes_the_shipped_configurations(schema: Draft202012Validator, path: Path) -> None:
    """What the exporter loads, an editor with the schema does not underline."""
    assert list(faults(schema, yaml.safe_load(path.read_text()))) == []


@pytest.mark.parametrize("snippet", of("exporter"))
def test_schema_takes_what_readme_shows(schema: Draft202012Validator, snippet: str) -> None:
    """A configuration copied from README is right in an editor."""
    assert list(faults(schema, yaml.safe_load(snippet))) == []


def of_probe(kind: str) -> dict[str, Any]:
    """Write a whole file with the least target of a kind, as YAML has it."""
    target = made(probes.get(kind)).model_dump(mode="json", exclude_unset=True)
    return {"targets": [{"kind": kind, **target}]}


@pytest.mark.parametrize("kind", probes.kinds())
def test_schema_and_program_agree_on_each_probe(
    schema: Draft202012Validator, kind: str, tmp_path: Path
) -> None:
    """The least target of a kind is taken by both, one with a setting too many by neither."""
    file = of_probe(kind)
    path = tmp_path / "exporter.yml"
    path.write_text(yaml.safe_dump(file))
    config.load(path, environ={})
    assert list(faults(schema, file)) == []
    file["targets"][0]["surplus"] = 1
    path.write_text(yaml.safe_dump(file))
    with pytest.raises(ConfigError, match="surplus"):
        config.load(path, environ={})
    assert list(faults(schema, file)) != []


@pytest.mark.parametrize("kind", checks.kinds())
def test_schema_and_program_agree_on_each_check(
    schema: Draft202012Validator, kind: str, tmp_path: Path
) -> None:
    """Each check is taken by both in the target's list, and a misspelt one by neither."""
    check = made(checks.get(kind)).model_dump(mode="json", exclude_unset=True)
    durations = {each: "1s" for each in check if each == "limit" and kind.startswith("max_")}
    target = {"kind": "http", "name": "t", "url": "http://h"}
    path = tmp_path / "exporter.yml"
    for name, right in ((kind, True), (f"{kind}x", False)):
        file = {"targets": [{**target, "checks": [{name: {**check, **durations}}]}]}
        path.write_text(yaml.safe_dump(file))
        assert (list(faults(schema, file)) == []) is right
        if right:
            config.load(path, environ={})
        else:
            with pytest.raises(ConfigError):
                config.load(path, environ={})


@pytest.mark.parametrize("kind", discoveries.kinds())
def test_schema_knows_each_discovery(kind: str) -> None:
    """Each way of discovery has its settings in the schema, and nothing else."""
    options = config.schema()["properties"]["discovery"]["items"]["oneOf"]
    (option,) = [each for each in options if each["properties"]["kind"] == {"const": kind}]
    assert {"kind", *REGISTRIES["discovery"].get(kind).model_fields} == set(option["properties"])
    assert option["additionalProperties"] is False


def test_a_list_of_kinds_stands_once_in_the_schema(schema: Draft202012Validator) -> None:
    """Sharing makes it small enough for an editor, and each reference leads somewhere."""
    text = json.dumps(schema.schema)
    assert len(text) < len(json.dumps(config.schema())) / 5
    names = set(re.findall(r'"#/\$defs/([^"]+)"', text))
    assert isinstance(schema.schema, dict)
    assert names <= set(schema.schema["$defs"])
    (regex,) = re.findall(r'"required": \["regex"\]', text)
    assert regex
