"""Who calls whom: what the configuration says, and what the evidence shows besides."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from responder.investigation.evidence import CALL, CALLEE, CALLER, CALLS, Evidence
from responder.investigation.movement import Movement
from responder.investigation.vocabulary import Role

_UPSTREAM = frozenset({Role.UPSTREAM_TRAFFIC, Role.UPSTREAM_LATENCY, Role.UPSTREAM_ERROR_RATIO})

Call = tuple[str, str]


def seen_calls(
    configured: Sequence[Call],
    evidence: Sequence[Evidence],
    movements: Sequence[Movement],
    known: Collection[str],
) -> tuple[Call, ...]:
    """Give the configured calls, then those that are seen between components that are known of.

    A call that is configured the other way round is not turned: who configures knows.
    """
    shown = {*_of_series(movements), *_of_graphs(evidence)}
    settled = {*configured, *((callee, caller) for caller, callee in configured)}
    new = {each for each in shown - settled if each[0] != each[1] and {*each} <= {*known}}
    return (*configured, *sorted(new))


def _of_series(movements: Sequence[Movement]) -> Iterator[Call]:
    for each in movements:
        peer = each.labels.get("peer")
        if peer and each.role in _UPSTREAM:
            yield each.component, peer


def _of_graphs(evidence: Sequence[Evidence]) -> Iterator[Call]:
    for each in evidence:
        if each.source == "prometheus" and each.title.startswith(CALLS):
            for quantity in each.quantities:
                if quantity.name == CALL:
                    yield quantity.labels[CALLER], quantity.labels[CALLEE]
