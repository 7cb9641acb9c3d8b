"""The check that an answer fits a JSON Schema."""

from __future__ import annotations

import json

import pytest

from exporter.checks.json_schema import MOST_NODES, JsonSchema
from exporter.target import CheckResult, Observation, Reason

ITEMS = JsonSchema(json_schema={"type": "array", "items": {"type": "integer"}})


def examined(document: object) -> CheckResult:
    """Examine a document as an answer in JSON."""
    return ITEMS.examine(Observation(answer=json.dumps(document), document=document))


def test_the_first_fault_is_named() -> None:
    """Of many faults the first is said, with its place."""
    result = examined([1, "two", "three"])
    assert (result.passed, result.reason) == (False, Reason.SCHEMA)
    assert "$[1]" in result.detail


@pytest.mark.parametrize("item", [1, "x"])
def test_an_answer_of_a_megabyte_is_refused_by_its_size(item: object) -> None:
    """Right or wrong, an answer with too many values is refused before it is validated."""
    result = examined([item] * 333_000)
    assert (result.passed, result.reason) == (False, Reason.SCHEMA)
    assert str(MOST_NODES) in result.detail


def test_an_answer_at_the_limit_is_validated() -> None:
    """The list itself is one value, its items the others."""
    assert examined([1] * (MOST_NODES - 1)).passed
