"""Ranks components by how much, how early and how much like the alert their series moved.

The method is the room `ranking`, which knows nothing of incidents: here a frame becomes its panel,
by the roles that the vocabulary gives. Deterministic: same frame, same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from responder.investigation.evidence import Floats, Frame
from responder.investigation.vocabulary import Role, worse
from responder.ranking.blame import blamed
from responder.ranking.burden import reachable
from responder.ranking.departures import Departures, departures, quantiles, ratio
from responder.ranking.panel import Column, Family, Panel
from responder.ranking.tuning import DEFAULT
from responder.ranking.words import family_of

__all__ = ["Levels", "Ranking", "levels", "rank", "reachable"]

# What a deviation must reach to matter, by unit: below it a steady series only looks lively.
EFFECT_FLOOR: Mapping[str, float] = {
    "seconds": 0.01,
    "ratio": 0.02,
    "count": 1.0,
    "per_second": 0.2,
    "bytes": 4e6,
}
# Not anomalies by size: they are read one by one.
_UNRANKED = frozenset(
    {Role.STARTED, Role.VERSION, Role.CERTIFICATE_END, Role.ALERT, Role.PROBE_STATE}
)
# Requests that take long pile up (Little's law), so that a full house is a symptom of slowness.
_FAMILIES: Mapping[Role, Family] = {
    Role.LATENCY: Family.LATENCY,
    Role.UPSTREAM_LATENCY: Family.LATENCY,
    Role.FIRST_TOKEN: Family.LATENCY,
    Role.TOKEN_GAP: Family.LATENCY,
    Role.QUEUE_TIME: Family.LATENCY,
    Role.IN_FLIGHT: Family.LATENCY,
    Role.RUNNING: Family.LATENCY,
    Role.ERROR_RATIO: Family.ERRORS,
    Role.UPSTREAM_ERROR_RATIO: Family.ERRORS,
    Role.TRAFFIC: Family.TRAFFIC,
    Role.QUEUE: Family.SATURATION,
    Role.CACHE: Family.SATURATION,
    Role.TOKENS: Family.SATURATION,
    Role.THROTTLED_RATIO: Family.SATURATION,
    Role.CPU: Family.CPU,
    Role.MEMORY: Family.MEMORY,
}
_TYPICAL = frozenset({Role.LATENCY, Role.ERROR_RATIO})


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """Per column: the median before and since, the noise, and the deviation in noises.

    `deviation` is signed by the value's own direction and capped; `harm` is the part of it in the
    direction that is worse, gated by its relative size. `departures` are what both are made of,
    with the rows before `base_end` for usual; None where there is nothing to compare with.
    """

    before: Floats
    since: Floats
    noise: Floats
    deviation: Floats
    harm: Floats
    moved_at: Floats
    columns: tuple[Column, ...]
    base_end: int
    departures: Departures | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """One component and its score; `columns` are those that speak loudest, loudest first."""

    component: str
    score: float
    columns: tuple[int, ...]


def levels(frame: Frame, onset_at: float, guard_seconds: float) -> Levels:
    """Compare each column since the onset with what it was before; NaN where it cannot be said.

    The guard before the onset belongs to neither side of the baseline: causes move before symptoms.
    """
    columns = tuple(_column(labels) for labels in frame.labels)
    base_end = int(np.searchsorted(frame.times, onset_at - guard_seconds))
    panel = _panel(frame, columns, base_end, onset_at)
    count = len(panel.columns)
    late = panel.values[panel.late :]
    nothing, zero = np.full(count, np.nan), np.zeros(count)
    since = quantiles(late, (0.5,))[0] if len(late) else nothing
    if panel.base_end == 0 or not len(late):
        return Levels(
            before=nothing,
            since=since,
            noise=zero,
            deviation=zero,
            harm=zero,
            moved_at=nothing,
            columns=panel.columns,
            base_end=0,
        )
    found = departures(panel, DEFAULT)
    sign = np.where(found.rise >= found.fall, 1.0, -1.0)
    sized = ratio(np.maximum(found.rise, found.fall), found.noise)
    deviation = sign * np.minimum(sized, DEFAULT.most_noises)
    ways = np.array([column.way for column in panel.columns])
    weight = np.where(ways == 0, DEFAULT.either_way_weight, 1.0)
    enough = np.isfinite(panel.values[: panel.base_end]).sum(axis=0) >= DEFAULT.least_samples
    return Levels(
        before=np.where(enough, found.before, np.nan),
        since=since,
        noise=found.noise,
        deviation=deviation,
        harm=found.sized * found.gate * weight,
        moved_at=_moved_at(frame, found, deviation, panel.base_end),
        columns=panel.columns,
        base_end=panel.base_end,
        departures=found,
    )


def _panel(frame: Frame, columns: tuple[Column, ...], base_end: int, onset_at: float) -> Panel:
    return Panel(
        values=np.where(np.isfinite(frame.values), frame.values, np.nan),
        columns=columns,
        base_end=base_end,
        late=int(np.searchsorted(frame.times, onset_at)),
        target=next((i for i, each in enumerate(frame.labels) if _is_alert(each)), None),
    )


def _is_alert(labels: Mapping[str, str]) -> bool:
    return labels.get("__origin__") == "alert"


def _column(labels: Mapping[str, str]) -> Column:
    role, name = _role(labels), labels.get("__name__", "")
    floor = EFFECT_FLOOR.get(labels.get("__unit__", ""), 0.0)
    return Column(
        component=labels.get("component", ""),
        metric=f"{role.value} {name}",
        family=family_of(name) if role is Role.OTHER else _FAMILIES.get(role, Family.OTHER),
        way=worse(role, name),
        size=floor,
        least=floor,
        is_typical=role in _TYPICAL,
        # What the junior sees is the symptom itself.
        is_suspect=role not in _UNRANKED and labels.get("__origin__") != "junior",
    )


def _role(labels: Mapping[str, str]) -> Role:
    try:
        return Role(labels.get("__role__", Role.OTHER))
    except ValueError:
        return Role.OTHER


def _moved_at(frame: Frame, found: Departures, deviation: Floats, start: int) -> Floats:
    """Find when each lively column left its baseline for good: two of three samples far from it."""
    moved = np.full(frame.values.shape[1], np.nan)
    times = frame.times[start:]
    for index in np.flatnonzero(np.abs(deviation) > 3):
        values = frame.values[start:, index] - found.before[index]
        signed = np.nan_to_num(values * np.sign(deviation[index]))
        most = float(np.max(signed, initial=0.0))
        far = signed > max(3 * found.noise[index], 0.2 * most)
        for place in np.flatnonzero(far):
            if far[place : place + 3].sum() >= min(2, len(far) - place):
                moved[index] = times[place]
                break
    return moved


def rank(
    frame: Frame,
    found: Levels,
    *,
    symptom: str,
    calls: Iterable[tuple[str, str]],
    onset_at: float,
) -> tuple[Ranking, ...]:
    """Rank the components of a frame by their loudest two groups of series, highest first."""
    panel = _panel(frame, found.columns, found.base_end, onset_at)
    if found.departures is None:
        names = sorted({column.component for column in panel.columns if column.is_suspect})
        return tuple(Ranking(component=name, score=0.0, columns=()) for name in names)
    panel = replace(panel, calls=tuple(calls), front=symptom)
    return tuple(
        Ranking(component=each.component, score=each.score, columns=each.columns)
        for each in blamed(panel, found.departures)
    )
