"""PromQL made safely: values quoted, and every query parsed before it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import promql_parser

_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
_FILTERS = frozenset({"and", "unless", "or"})


class QueryError(Exception):
    """The query is not PromQL; the text says why."""


def quote(value: str) -> str:
    """Quote *value* as a PromQL string, whatever it holds."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def literal(value: str) -> str:
    """Make *value* match itself and nothing else in a regular expression of RE2."""
    special = frozenset("\\.+*?()|[]{}^$")
    return "".join(f"\\{each}" if each in special else each for each in value)


def selector(name: str = "", matchers: Iterable[tuple[str, str, str]] = ()) -> str:
    """Write a selector of (label, operator, value); any name may be given."""
    parts = [f"{label}{operator}{quote(value)}" for label, operator, value in matchers]
    if name:
        parts.insert(0, f"__name__={quote(name)}")
    return "{" + ",".join(parts) + "}"


def equals(labels: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Write labels as matchers of equality, sorted by name."""
    return [(name, "=", value) for name, value in sorted(labels.items())]


@lru_cache(maxsize=1024)
def checked(query: str) -> str:
    """Return *query* when it is PromQL; raises QueryError."""
    try:
        promql_parser.parse(query)
    except (ValueError, TypeError) as error:
        raise QueryError(str(error)) from None
    return query


@lru_cache(maxsize=256)
def measured_part(expression: str) -> str:
    """Return what an alert's expression measures, without its limit.

    Comparisons, filters and further alternatives at the top are taken off: `a > 5` gives `a`, so
    that the series can be seen before it crossed its limit. Raises QueryError.
    """
    try:
        node: Any = promql_parser.parse(expression)
    except (ValueError, TypeError) as error:
        raise QueryError(str(error)) from None
    while True:
        if isinstance(node, promql_parser.ParenExpr):
            node = node.expr
        elif isinstance(node, promql_parser.BinaryExpr) and _narrows(node):
            node = node.lhs
        else:
            return str(node.prettify())


def _narrows(node: Any) -> bool:
    operator = str(node.op).lower()
    if operator in _FILTERS:
        return True
    # `0 < a` compares the other way round, and `a > bool 5` is itself a value.
    returns_bool = bool(getattr(node.modifier, "return_bool", False)) if node.modifier else False
    number = isinstance(node.lhs, promql_parser.NumberLiteral)
    return operator in _COMPARISONS and not returns_bool and not number


def duration(seconds: float) -> str:
    """Write seconds as a PromQL duration, in whole milliseconds."""
    milliseconds = max(1, round(seconds * 1000))
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}s" if rest == 0 else f"{milliseconds}ms"


def graph_url(base: str, query: str, start: float, end: float) -> str:
    """Link to a query in Prometheus's own pages, over a span of time."""
    seconds = max(1, round(end - start))
    asked = {"g0.expr": query, "g0.tab": "0", "g0.range_input": f"{seconds}s"}
    asked["g0.end_input"] = f"{end:.3f}"
    return f"{base.rstrip('/')}/graph?{urlencode(asked)}"
