"""What PromQL expressions name: metrics, ranges, matchers; and what the programs export."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TypeVar

import promql_parser
from prometheus_client import CollectorRegistry

from exporter.instruments import Instruments
from exporter.metrics import FAMILIES
from responder.ceilings import Ceilings
from responder.metrics import Metrics
from responder.store.snapshot import Snapshot

Node = TypeVar("Node", bound=promql_parser.Expr)
_SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
    "info": ("_info",),
}


def nodes(expression: str, kind: type[Node]) -> Iterator[Node]:
    """Yield the nodes of one kind, at any depth; raises ValueError where it is not PromQL."""
    found: list[Node] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            promql_parser.walk(node.vector_selector, visit)
        if isinstance(node, kind):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    yield from found


def metrics(expression: str) -> set[str]:
    """Find the names of all metrics in an expression."""
    selectors = nodes(expression, promql_parser.VectorSelector)
    return {selector.name for selector in selectors if selector.name is not None}


def ranges_seconds(expression: str) -> set[float]:
    """Find the lengths of all ranges of an expression, subqueries left out."""
    selectors = nodes(expression, promql_parser.MatrixSelector)
    return {selector.range.total_seconds() for selector in selectors}


def values(expression: str, label: str) -> set[str]:
    """Find the values that an expression matches a label with."""
    selectors = nodes(expression, promql_parser.VectorSelector)
    return {
        matcher.value
        for selector in selectors
        for matcher in selector.matchers.matchers
        if matcher.name == label
    }


@functools.cache
def exported() -> frozenset[str]:
    """List the names of all series that the two programs export, as they declare them."""
    fleet = {
        family.name + suffix
        for family in FAMILIES
        for suffix in (_SUFFIXES["histogram"] if family.kind == "histogram" else ("",))
    }
    responder = Metrics(version="test")
    responder.snapshot = Snapshot(watchdog_last_seen_at=0.0)
    responder.ceilings = Ceilings()
    instruments = Instruments()
    instruments.watch_fleet(lambda: 0, dict)
    own = _declared(instruments.registry) | _declared(responder.registry)
    return frozenset(fleet | own)


def _declared(registry: CollectorRegistry) -> set[str]:
    return {
        family.name + suffix
        for family in registry.collect()
        for suffix in _SUFFIXES.get(family.type, ("",))
    }
