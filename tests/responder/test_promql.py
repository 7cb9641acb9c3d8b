"""PromQL is quoted, parsed, and stripped of its limits."""

from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.promql import (
    QueryError,
    checked,
    duration,
    equals,
    literal,
    measured_part,
    selector,
)
from toolkit.settings import seconds

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(text, text)
def test_any_name_and_value_make_one_selector(name: str, value: str) -> None:
    """Whatever a label holds, the query is one selector with that very value."""
    query = checked(selector(name or "up", equals({"a": value})))
    parsed = promql_parser.parse(query)
    assert isinstance(parsed, promql_parser.VectorSelector)
    found = {each.name: each.value for each in parsed.matchers.matchers}
    assert found["a"] == value


@given(text)
def test_a_literal_matches_as_an_expression(value: str) -> None:
    """A label value as a regular expression stays valid PromQL."""
    checked(selector("up", [("a", "=~", literal(value))]))


@pytest.mark.parametrize(
    ("expression", "measured"),
    [
        ("a > 5", "a"),
        ("(a > 5)", "a"),
        ("a > 5 and on (x) b == 1", "a"),
        ("5 < a", "5 < a"),
        ("a > bool 5", "a > bool 5"),
        ("sum(rate(a[5m])) / sum(rate(b[5m])) > 0.1", "sum(rate(a[5m])) / sum(rate(b[5m]))"),
        ("a unless b", "a"),
        ("vector(1)", "vector(1)"),
    ],
)
def test_what_an_alert_measures_is_its_expression_without_limits(
    expression: str, measured: str
) -> None:
    """Comparisons and filters at the top go; everything that is the value stays."""
    assert measured_part(expression) == promql_parser.parse(measured).prettify()


@pytest.mark.parametrize("query", ["", "a{", "rate(a)", 'a{b="c}', "drop table"])
def test_what_is_no_promql_is_refused(query: str) -> None:
    """A query that does not parse raises before anything is sent."""
    with pytest.raises(QueryError):
        checked(query)


@given(st.floats(0.001, 1e6))
def test_durations_are_those_of_prometheus(value: float) -> None:
    """What is written is read back, to the millisecond."""
    assert seconds(duration(value)) == pytest.approx(value, abs=0.0006)
