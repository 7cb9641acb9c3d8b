"""The evaluation itself: every method on every case, as scores per system and pooled."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from responder.evaluation.cases import Case
from responder.evaluation.scores import Score, chance, place, place_in, score
from responder.ranking.blame import blame

OWN, CHANCE = "Vigie", "chance"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Some cases: a system's, or all; how many, and each method's score on them."""

    name: str
    cases: int
    scores: Mapping[str, Score]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The observable cases per system and pooled, and all of them; seconds are the ranking's."""

    observable: tuple[Row, ...]
    pooled: Row | None
    everything: Row
    seconds: tuple[float, ...]


def evaluate(cases: Sequence[Case], orders: Mapping[str, Mapping[str, Sequence[str]]]) -> Result:
    """Rank every case and score it beside the orders that the peers gave."""
    seconds: list[float] = []
    places: dict[str, dict[str, int]] = {name: {} for name in (OWN, *orders)}
    for case in cases:
        began = time.perf_counter()
        blamed = blame(case.panel())
        seconds.append(time.perf_counter() - began)
        places[OWN][case.id] = place({b.component: b.score for b in blamed}, case.truth)
        for name, order in orders.items():
            places[name][case.id] = place_in(order[case.id], case.truth)
    seen = [case for case in cases if case.is_observable]
    systems = sorted({case.system for case in seen})
    return Result(
        observable=tuple(
            _row(name, [case for case in seen if case.system == name], places) for name in systems
        ),
        pooled=_row("observable", seen, places) if seen else None,
        everything=_row("all", cases, places),
        seconds=tuple(seconds),
    )


def _row(name: str, cases: Sequence[Case], places: Mapping[str, Mapping[str, int]]) -> Row:
    scores = {method: score([own[case.id] for case in cases]) for method, own in places.items()}
    scores[CHANCE] = chance([len(case.components) for case in cases])
    return Row(name=name, cases=len(cases), scores=scores)
