"""The compounds hold together with the faults, the targets and the rules that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.compounds import Compound, load
from lab.faults import FAULTS
from lab.platform import ROOT
from lab.processes import COMPONENTS

TABLE = load()


@pytest.mark.parametrize("compound", TABLE.values(), ids=TABLE)
def test_a_compound_names_what_there_is(compound: Compound) -> None:
    """Its faults, components and targets exist in the lab, and its alerts in the shipped rules."""
    targets = {each["name"] for each in _yaml(ROOT / "lab" / "exporter.yml")["targets"]}
    alerts = "".join(path.read_text("utf-8") for path in (ROOT / "rules" / "alerts").glob("*.yml"))
    assert {step.fault for step in compound.steps} - {None} <= set(FAULTS)
    assert {step.announce.service for step in compound.steps if step.announce} <= set(COMPONENTS)
    for cause in compound.causes:
        assert cause.target in targets or f"alert: {cause.alert}\n" in alerts
        assert cause.component in COMPONENTS or cause.alert


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("steps: [{fault: hang, freeze: exporter}]", "one of fault, announce, freeze, rounds"),
        ("steps: [{}]", "one of fault, announce, freeze, rounds"),
        ("steps: []", "at least 1 item"),
        ("causes: [{component: a, cause_kind: crash}]", "of a target or of an alert"),
        ("causes: [{target: a, component: a, cause_kind: gremlins}]", "gremlins is not of the"),
        ("gremlins: 1", "Extra inputs"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, part: str, problem: str) -> None:
    """Each part that cannot be meant says what is wrong with it."""
    row = {
        "compound": "a",
        "summary": "s",
        "steps": [{"fault": "hang"}],
        "causes": [{"target": "chat", "component": "chat", "cause_kind": "hung_engine"}],
        **yaml.safe_load(part),
    }
    table = tmp_path / "compounds.yml"
    table.write_text(yaml.safe_dump({"compounds": [row]}))
    with pytest.raises(ValueError, match=problem):
        load(table)


def test_a_compound_stands_once(tmp_path: Path) -> None:
    """A second row of the same name is refused, rather than one of them lost."""
    row = TABLE["two_at_once"].model_dump(exclude_none=True, mode="json")
    table = tmp_path / "compounds.yml"
    table.write_text(yaml.safe_dump({"compounds": [row, row]}))
    with pytest.raises(ValueError, match="stands twice"):
        load(table)
