"""The truth table holds together, and the lab implements exactly what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.changes import ChangeLog
from lab.control import build
from lab.faults import FAULTS, Crash, Rollout, Turn
from lab.processes import COMPONENTS, Launch
from lab.truth import CAUSE_KINDS, Truth, load

TABLE = load()


def test_the_faults_of_the_table_are_those_implemented() -> None:
    """No fault lacks its truth, and no truth its fault."""
    assert set(TABLE) == set(FAULTS)


@pytest.mark.parametrize("truth", TABLE.values(), ids=TABLE)
def test_a_row_holds_together(truth: Truth) -> None:
    """Each row names a real component, a kind of the closed set, signals, and other faults."""
    assert truth.component in COMPONENTS
    assert truth.cause_kind in CAUSE_KINDS
    assert truth.summary.endswith(".")
    assert truth.signals
    assert truth.neighbours
    assert set(truth.neighbours) <= set(TABLE) - {truth.fault}
    assert all(truth.neighbours.values())


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_moves_a_component_that_exists(name: str) -> None:
    """What a fault turns, kills or rolls out is one of the lab's processes."""
    fault = FAULTS[name]
    assert isinstance(fault, Turn | Crash | Rollout)
    assert fault.component in COMPONENTS


def test_a_kind_outside_the_closed_set_is_refused(tmp_path: Path) -> None:
    """A mistyped cause kind names itself and the set."""
    table = tmp_path / "truth.yml"
    table.write_text(
        "faults: [{fault: a, component: chat, cause_kind: gremlins, summary: s, signals: [x],"
        " neighbours: {}}]"
    )
    with pytest.raises(ValueError, match="cause kind gremlins is not of the closed set"):
        load(table)


def test_a_fault_stands_once(tmp_path: Path) -> None:
    """A second row of the same fault is refused, rather than one of them lost."""
    row = "{fault: a, component: chat, cause_kind: crash, summary: s, signals: [x], neighbours: {}}"
    table = tmp_path / "truth.yml"
    table.write_text(f"faults: [{row}, {row}]")
    with pytest.raises(ValueError, match="a stands twice"):
        load(table)


def test_the_catalogue_is_the_table() -> None:
    """What the control API lists is the table, row by row, with no onset while nothing is set."""
    lab = build(Launch(), ChangeLog(receiver=None), TABLE, load=True)
    listed = lab.catalogue()
    assert [row.pop("onset") for row in listed] == [None] * len(TABLE)
    assert listed == [truth.model_dump(mode="json") for truth in TABLE.values()]
