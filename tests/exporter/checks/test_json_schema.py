"""The check that an answer fits a JSON Schema."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from exporter.checks.json_schema import JsonSchema
from exporter.schema import MOST_NODES, MOST_STEPS
from exporter.target import CheckResult, Observation, Reason

ITEMS = JsonSchema(json_schema={"type": "array", "items": {"type": "integer"}})


def examined(document: object, check: JsonSchema = ITEMS) -> CheckResult:
    """Examine a document as an answer in JSON."""
    return check.examine(Observation(answer=json.dumps(document), document=document))


def nested(depth: int, inner: Any, name: str) -> Any:
    """Put a value into maps of one name."""
    for _ in range(depth):
        inner = {name: inner}
    return inner


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


UNIQUE = {"type": "array", "uniqueItems": True}
TWICE = {"properties": {"a": {"$ref": "#"}}}
HOSTILE: tuple[tuple[dict[str, Any], Any], ...] = (
    ({"pattern": "^(a|a)*$"}, "a" * 8_000 + "!"),
    ({"pattern": "(a+)+$"}, ("a" * 80 + "!") * 80),
    ({"patternProperties": {"(a|aa)+$": {}}}, {"a" * 5_000 + "!": 1}),
    (
        {"patternProperties": {"(x*)*y$": {}}, "additionalProperties": False},
        {"x" * 5_000 + str(number): 1 for number in range(50)},
    ),
    ({"propertyNames": {"pattern": "([a-z]+)*$"}}, {"a" * 5_000 + "!": 1}),
    (UNIQUE, [{"a": number} for number in range(9_000)]),
    (UNIQUE, [[number] for number in range(9_000)] + [{"a": None}]),
    ({"allOf": [TWICE, TWICE]}, nested(200, 1, "a")),
    ({"anyOf": [TWICE, TWICE, False], "$defs": {}}, nested(100, 1, "b")),
    ({"$ref": "#"}, 1),
    ({**UNIQUE, "items": {"$ref": "#"}}, json.loads("[" * 200 + "]" * 200)),
    ({"pattern": "a"}, "a" * 1_000_000),
)


@pytest.mark.parametrize(("schema", "document"), HOSTILE)
def test_no_answer_holds_the_loop(schema: dict[str, Any], document: Any) -> None:
    """What a backtracking engine or naive keywords took hours over ends at once."""
    begin = time.monotonic()
    result = examined(document, JsonSchema(json_schema=schema))
    assert time.monotonic() - begin < 60
    assert result.passed or result.reason is Reason.SCHEMA


def test_steps_are_bounded_and_counted_anew() -> None:
    """A validation given up leaves nothing behind for the next."""
    check = JsonSchema(json_schema={"allOf": [TWICE, TWICE]})
    given_up = examined(nested(40, 1, "a"), check)
    assert str(MOST_STEPS) in given_up.detail
    assert examined({"a": 1}, check).passed


@pytest.mark.parametrize(
    ("document", "unique"),
    [
        ([1, 1.0], False),
        ([1, True], True),
        ([0, False], True),
        ([{"a": 1, "b": 2.0}, {"b": 2, "a": 1}], False),
        ([[1], [True]], True),
        (["1", 1], True),
        ([2**53, float(2**53)], False),
        ([None, None], False),
    ],
)
def test_items_are_the_same_as_json_schema_has_it(
    document: Any,
    unique: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Numbers are compared by value, truth values apart from them, maps without order."""
    assert examined(document, JsonSchema(json_schema=UNIQUE)).passed is unique


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "ab", "ba"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
SCHEMA = {
    "uniqueItems": True,
    "pattern": "^a",
    "properties": {"a": {"$ref": "#"}},
    "patternProperties": {"^[ab]$": {"$ref": "#"}},
    "additionalProperties": {"type": ["integer", "array"], "items": {"$ref": "#"}},
    "items": {"$ref": "#"},
}


@given(VALUES)
def test_own_keywords_agree_with_the_library(document: Any) -> None:
    """On harmless schemas the bounded keywords say what jsonschema's own say."""
    check = JsonSchema(json_schema=SCHEMA)
    document = orjson.loads(orjson.dumps(document))
    assert examined(document, check).passed is Draft202012Validator(SCHEMA).is_valid(document)
