"""A report held against the truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.demo.verdict import Truth, judge

TRUTH = Truth(fault="hang", component="chat", cause_kind="hung_engine", onset_at=100.0)


def report(*causes: tuple[str, str]) -> dict[str, Any]:
    """Return a report as the responder's API gives it, with these causes in order."""
    named = [{"component": where, "kind": kind, "confidence": "high"} for where, kind in causes]
    return {"headline": "Chat hangs", "analyst": "embedded", "causes": named, "notes": []}


def test_the_first_cause_is_what_counts() -> None:
    """The truth in first place is right."""
    found = report(("chat", "hung_engine"), ("gateway", "crash"))
    assert judge(TRUTH, found, 12.0).right


@pytest.mark.parametrize(
    "found",
    [
        None,
        report(),
        report(("gateway", "crash"), ("chat", "hung_engine")),
        report(("chat", "slow_engine")),
        report(("gateway", "hung_engine")),
    ],
)
def test_anything_else_is_wrong(found: dict[str, Any] | None) -> None:
    """No report, no cause, the truth in second place, another kind or component: all wrong."""
    assert not judge(TRUTH, found, 12.0).right


@pytest.mark.parametrize(
    ("named", "right"),
    [
        (("chat", "hung_engine"), True),
        (("chat", "unknown"), True),
        (("gateway", "unknown"), False),
        (("chat", "crash"), False),
    ],
)
def test_where_the_data_do_not_allow_a_cause_none_is_right(
    named: tuple[str, str],
    right: bool,  # noqa: FBT001 - a column
) -> None:
    """Undecided at the right place counts, and so does the truth; another cause does not."""
    undecided = replace(TRUTH, undecided=True)
    assert judge(undecided, report(named), 12.0).right is right
    assert judge(TRUTH, report(("chat", "unknown")), 12.0).right is False
