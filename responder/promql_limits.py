"""What a query written by a model may ask for, and the unit that its answer is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import promql_parser

from responder.promql import QueryError, quote

LONGEST_QUERY = 1000
LONGEST_RANGE_SECONDS = 86_400.0
LONGEST_OFFSET_SECONDS = 8 * 86_400.0
MOST_SELECTORS = 8
MOST_SUBQUERIES = 1
LEAST_SUBQUERY_STEP_SECONDS = 5.0
_RATES = frozenset({"rate", "irate", "deriv"})
_SUFFIXES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("_timestamp_seconds", "_time_seconds"), "timestamp"),
    (("_seconds", "_seconds_total", "_seconds_sum", "_seconds_bucket"), "seconds"),
    (("_bytes", "_bytes_total", "_bytes_sum", "_bytes_bucket"), "bytes"),
    (("_ratio", "_perc"), "ratio"),
    (("_total", "_count", "_bucket"), "count"),
)
_SAME = frozenset(
    {
        *("increase", "delta", "idelta", "abs", "ceil", "floor", "round", "sort", "sort_desc"),
        *("avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "last_over_time"),
        *("quantile_over_time", "histogram_quantile", "clamp_max", "clamp_min", "clamp"),
        *("predict_linear", "label_replace", "label_join", "stddev_over_time", "mad_over_time"),
    }
)
_SAME_AGGREGATES = frozenset({"sum", "avg", "min", "max", "topk", "bottomk", "quantile", "stddev"})
_QUOTIENTS: Mapping[tuple[str, str], str] = {
    # The mean of a histogram: seconds a second over observations a second.
    ("ratio", "per_second"): "seconds",
    ("seconds", "count"): "seconds",
    ("bytes", "count"): "bytes",
}


def bounded(query: str) -> str:
    """Give a query as Prometheus writes it; raises QueryError where it asks for too much.

    Each selector names its metric, so that none reads everything there is; ranges, offsets and
    subqueries are short.
    """
    if len(query) > LONGEST_QUERY:
        raise QueryError(f"longer than {LONGEST_QUERY} characters")
    node = _parsed(query)
    selectors = subqueries = 0
    for each in _walk(node):
        if isinstance(each, promql_parser.VectorSelector):
            selectors += 1
            _check_selector(each)
        elif isinstance(each, promql_parser.MatrixSelector):
            _check_length("a range", each.range, LONGEST_RANGE_SECONDS)
        elif isinstance(each, promql_parser.SubqueryExpr):
            subqueries += 1
            _check_subquery(each)
    if not selectors:
        raise QueryError("it names no metric")
    if selectors > MOST_SELECTORS or subqueries > MOST_SUBQUERIES:
        raise QueryError(f"over {MOST_SELECTORS} selectors or {MOST_SUBQUERIES} subquery")
    return " ".join(str(node.prettify()).split())


def metrics_of(query: str) -> tuple[str, ...]:
    """Give the names of the metrics that a query reads, in their order."""
    selectors = (n for n in _walk(_parsed(query)) if isinstance(n, promql_parser.VectorSelector))
    return tuple(dict.fromkeys(name for each in selectors if (name := _metric(each))))


def unit_of(query: str) -> str:
    """Tell the unit of a query's answer by its functions and metric names, empty where unknown."""
    return _unit(_parsed(query))


def selecting(metric: str, labels: Mapping[str, str]) -> str:
    """Write the selector of a metric with these labels."""
    inside = ",".join(f"{name}={quote(value)}" for name, value in sorted(labels.items()))
    return f"{metric}{{{inside}}}"


def _parsed(query: str) -> Any:
    try:
        return promql_parser.parse(query)
    except (ValueError, TypeError) as error:
        raise QueryError(str(error)) from None


def _walk(node: Any) -> Iterator[Any]:
    yield node
    for child in _children(node):
        yield from _walk(child)


def _children(node: Any) -> tuple[Any, ...]:
    if isinstance(node, promql_parser.BinaryExpr):
        return node.lhs, node.rhs
    if isinstance(node, promql_parser.Call):
        return tuple(node.args)
    if isinstance(node, promql_parser.MatrixSelector):
        return (node.vector_selector,)
    if isinstance(node, promql_parser.AggregateExpr):
        return (node.expr,) if node.param is None else (node.expr, node.param)
    if isinstance(
        node, promql_parser.ParenExpr | promql_parser.UnaryExpr | promql_parser.SubqueryExpr
    ):
        return (node.expr,)
    return ()


def _metric(selector: Any) -> str:
    if selector.name:
        return str(selector.name)
    named = [m for m in selector.matchers.matchers if m.name == "__name__"]
    is_one = len(named) == 1 and named[0].op == promql_parser.MatchOp.Equal
    return str(named[0].value) if is_one else ""


def _check_selector(selector: Any) -> None:
    if not _metric(selector):
        raise QueryError("a selector without a metric's name")
    if selector.offset is not None:
        _check_length("an offset", selector.offset, LONGEST_OFFSET_SECONDS)
    if selector.at is not None:
        raise QueryError("@ is not taken: the window is chosen by its own arguments")


def _check_subquery(node: Any) -> None:
    _check_length("a subquery's range", node.range, LONGEST_RANGE_SECONDS)
    if node.at is not None:
        raise QueryError("@ is not taken: the window is chosen by its own arguments")
    if node.offset is not None:
        _check_length("an offset", node.offset, LONGEST_OFFSET_SECONDS)
    if node.step is not None and node.step.total_seconds() < LEAST_SUBQUERY_STEP_SECONDS:
        raise QueryError(f"a subquery's step under {LEAST_SUBQUERY_STEP_SECONDS:g} s")


def _check_length(what: str, length: Any, most_seconds: float) -> None:
    if abs(length.total_seconds()) > most_seconds:
        raise QueryError(f"{what} over {most_seconds / 3600:g} h")


def _unit(node: Any) -> str:
    if isinstance(node, promql_parser.VectorSelector):
        return _unit_of_name(_metric(node))
    if isinstance(node, promql_parser.BinaryExpr):
        return _unit_of_binary(node)
    if isinstance(node, promql_parser.Call):
        return _unit_of_call(node)
    if isinstance(node, promql_parser.AggregateExpr):
        kind = str(node.op).lower()
        if kind == "count":
            return "count"
        return _unit(node.expr) if kind in _SAME_AGGREGATES else ""
    children = _children(node)
    return _unit(children[0]) if children else ""


def _unit_of_name(name: str) -> str:
    return next((unit for ends, unit in _SUFFIXES if name.endswith(ends)), "")


def _unit_of_call(node: Any) -> str:
    name = node.func.name
    series = next((a for a in node.args if not _is_plain(a)), None)
    if series is None:
        return ""
    inner = _unit(series)
    if name in _RATES:
        return {"count": "per_second", "seconds": "ratio"}.get(inner, "")
    return inner if name in _SAME else ""


def _unit_of_binary(node: Any) -> str:
    left, right, operator = _unit(node.lhs), _unit(node.rhs), str(node.op)
    if operator == "/":
        if _is_plain(node.rhs):
            return ""
        return "ratio" if left and left == right else _QUOTIENTS.get((left, right), "")
    if operator in {"+", "-"}:
        return left if left == right else ""
    # Comparisons and sets keep the left side's values.
    keeps = operator in {"and", "or", "unless", ">", "<", ">=", "<=", "==", "!="}
    has_bool = bool(getattr(node.modifier, "return_bool", False)) if node.modifier else False
    return left if keeps and not has_bool else ""


def _is_plain(node: Any) -> bool:
    return isinstance(node, promql_parser.NumberLiteral | promql_parser.StringLiteral)
