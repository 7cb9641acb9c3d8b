"""Ranks components by how much, how early and how much like the alert their series moved.

Robust noise and directional deviation as in the published rankers (N-Sigma; BARO, Pham et al.,
FSE 2024), with a relative-effect gate, a second baseline just before the onset, and a discount of
callers by what their callees explain. Deterministic: same frame, same order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from responder.investigation.evidence import Floats, Frame
from responder.investigation.vocabulary import Role, worse

CAP = 50.0
NEAR_SAMPLES = 20
LEAST_SAMPLES = 4
TOP_SHARE = 0.3
GATE_RATIO = 0.25
EITHER_WAY_WEIGHT = 0.3
UNREACHABLE_WEIGHT = 0.6
EARLY_BONUS = 0.4
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """Per column: the median before and since, the noise, and the deviation in noises.

    `deviation` is signed by the value's own direction and capped; `harm` is the part of it in the
    direction that is worse, gated by its relative size.
    """

    before: Floats
    since: Floats
    noise: Floats
    deviation: Floats
    harm: Floats
    moved_at: Floats


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
    early = frame.times < onset_at - guard_seconds
    late = frame.times >= onset_at
    count = frame.values.shape[1]
    nothing = np.full(count, np.nan)
    if not early.any() or not late.any():
        latest = _median(frame.values[late]) if late.any() else nothing
        zero = np.zeros(count)
        return Levels(
            before=nothing, since=latest, noise=zero, deviation=zero, harm=zero, moved_at=nothing
        )
    base, after = frame.values[early], frame.values[late]
    enough = (np.isfinite(base).sum(axis=0) >= LEAST_SAMPLES) & np.isfinite(after).any(axis=0)
    usual, near = _median(base), base[-NEAR_SAMPLES:]
    before = _median(near)
    before = np.where(np.isnan(before), usual, before)
    # Just before: every kind of noise. Over the long run: only what half of the samples agree on,
    # since an earlier incident may lie in the window.
    noise = _noise(near, before, frame)
    calm = np.maximum(1.4826 * _median(np.abs(base - usual)), 0.02 * np.abs(usual))
    calm = np.nan_to_num(calm)
    since = _median(after)
    ways = _directions(frame)
    deviation = np.zeros(count)
    harm = np.zeros(count)
    for sign in (1.0, -1.0):
        rise, long_rise = _top(sign * (after - before)), _top(sign * (after - usual))
        reached = np.minimum(rise, long_rise)
        reached = np.where(enough, np.clip(np.nan_to_num(reached), 0, None), 0.0)
        sized = np.minimum(_ratio(reached, noise), _ratio(reached, calm))
        sized = np.minimum(sized, CAP)
        larger = sized > np.abs(deviation)
        deviation = np.where(larger, sign * sized, deviation)
        weight = np.where(ways == sign, 1.0, np.where(ways == 0, EITHER_WAY_WEIGHT, 0.0))
        gate = _gate(reached, before, frame)
        harm = np.maximum(harm, sized * gate * weight)
    moved = _moved_at(frame, before, noise, deviation, onset_at - guard_seconds)
    return Levels(
        before=np.where(enough, before, np.nan),
        since=since,
        noise=noise,
        deviation=deviation,
        harm=harm,
        moved_at=moved,
    )


def _median(block: Floats) -> Floats:
    return _quantiles(block, (0.5,))[0]


def _quantiles(block: Floats, shares: Sequence[float]) -> list[Floats]:
    """Quantiles of each column without its NaN; faster than nanquantile, and without warnings."""
    # Each series in one piece of memory: sorting is then several times faster.
    ordered = np.sort(np.ascontiguousarray(block.T), axis=1)  # NaN last
    counts = np.isfinite(ordered).sum(axis=1)
    columns = np.arange(block.shape[1])
    found = []
    for share in shares:
        place = share * np.maximum(counts - 1, 0)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(counts - 1, 0))
        value = ordered[columns, low]
        value = value + (place - low) * (ordered[columns, high] - value)
        found.append(np.where(counts > 0, value, np.nan))
    return found


def _noise(near: Floats, center: Floats, frame: Frame) -> Floats:
    """Give the largest of four robust scales; a silent series borrows from its peers."""
    low, first, third, high = _quantiles(near, (0.1, 0.25, 0.75, 0.9))
    spread = 1.4826 * _median(np.abs(near - center))
    scales = [spread, (third - first) / 1.349, (high - low) / 2.563, 0.02 * np.abs(center)]
    noise: Floats = np.max(np.stack([np.nan_to_num(each) for each in scales]), axis=0)
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, labels in enumerate(frame.labels):
        groups[labels.get("__name__", ""), labels.get("__role__", "")].append(index)
    for members in groups.values():
        loud = noise[members][noise[members] > 0]
        if len(loud):
            borrowed = float(np.quantile(loud, 0.75)) if len(loud) > 1 else 0.0
            for index in members:
                if noise[index] == 0:
                    noise[index] = borrowed
    return noise


def _directions(frame: Frame) -> Floats:
    return np.array(
        [worse(_role(labels), labels.get("__name__", "")) for labels in frame.labels],
        dtype=np.float64,
    )


def _role(labels: Mapping[str, str]) -> Role:
    try:
        return Role(labels.get("__role__", Role.OTHER))
    except ValueError:
        return Role.OTHER


def _top(block: Floats) -> Floats:
    """Mean of the highest share of each column: one spike does not make it, a minority does."""
    ordered = -np.sort(np.ascontiguousarray(-block.T), axis=1)  # highest first, NaN last
    known = np.isfinite(ordered)
    counts = known.sum(axis=1)
    kept = np.maximum(np.ceil(TOP_SHARE * counts), np.minimum(counts, 2)).astype(np.int64)
    ranks = np.arange(block.shape[0])[None, :]
    total: Floats = np.where((ranks < kept[:, None]) & known, ordered, 0.0).sum(axis=1)
    return np.where(kept > 0, total / np.maximum(kept, 1), np.nan)


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(below > 0, above / below, np.where(above > 0, np.inf, 0.0))
    return np.nan_to_num(ratio, posinf=1e6)


def _gate(reached: Floats, before: Floats, frame: Frame) -> Floats:
    floors = np.array([EFFECT_FLOOR.get(each.get("__unit__", ""), 0.0) for each in frame.labels])
    scale = np.maximum(np.abs(np.nan_to_num(before)), floors)
    relative = np.minimum(_ratio(reached, scale), 1e6)
    return np.where(reached >= floors, relative / (relative + GATE_RATIO), 0.0)


def _moved_at(
    frame: Frame, before: Floats, noise: Floats, deviation: Floats, from_at: float
) -> Floats:
    """Find when each lively column left its baseline for good: two of three samples far from it."""
    start = int(np.searchsorted(frame.times, from_at))
    moved = np.full(frame.values.shape[1], np.nan)
    times = frame.times[start:]
    for index in np.flatnonzero(np.abs(deviation) > 3):
        values = frame.values[start:, index] - before[index]
        signed = np.nan_to_num(values * np.sign(deviation[index]))
        most = float(np.max(signed, initial=0.0))
        far = signed > max(3 * noise[index], 0.2 * most)
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
    loud = _loudness(frame, found, onset_at)
    groups: dict[str, dict[str, float]] = defaultdict(dict)
    members: dict[str, list[int]] = defaultdict(list)
    for index, labels in enumerate(frame.labels):
        role = _role(labels)
        if role in _UNRANKED or labels.get("__origin__") == "junior":
            continue  # what the junior sees is the symptom itself
        component = labels.get("component", "")
        group = role.value if role is not Role.OTHER else labels.get("__name__", "")
        groups[component][group] = max(groups[component].get(group, 0.0), float(loud[index]))
        members[component].append(index)
    edges = tuple(calls)
    scores = {name: _two_best(each.values()) for name, each in groups.items()}
    scores = _discounted(scores, groups, edges)
    near = reachable(symptom, edges)
    ranked = []
    for component in sorted(scores):
        weight = 1.0 if component in near or not edges else UNREACHABLE_WEIGHT
        order = sorted(members[component], key=lambda index: (-loud[index], index))
        ranked.append(
            Ranking(
                component=component,
                score=round(weight * scores[component], 6),
                columns=tuple(order[:5]),
            )
        )
    return tuple(sorted(ranked, key=lambda each: (-each.score, each.component)))


def _loudness(frame: Frame, found: Levels, onset_at: float) -> Floats:
    span = max(float(frame.times[-1] - frame.times[0]), 1e-9)
    lead = np.nan_to_num(np.clip((onset_at - found.moved_at) / (0.1 * span) + 1, 0, 1))
    return found.harm * (1 + EARLY_BONUS * lead)


def _two_best(values: Iterable[float]) -> float:
    ordered = sorted(values, reverse=True)
    return ordered[0] + 0.5 * (ordered[1] if len(ordered) > 1 else 0.0) if ordered else 0.0


def _discounted(
    scores: Mapping[str, float],
    groups: Mapping[str, Mapping[str, float]],
    edges: Sequence[tuple[str, str]],
) -> dict[str, float]:
    """Take from a caller the share of its loudest symptom that its callees show as well."""
    left = dict(scores)
    for caller, callee in edges:
        own, other = groups.get(caller, {}), groups.get(callee, {})
        if not own or not other:
            continue
        best = max(own, key=lambda group: (own[group], group))
        share = min(1.0, other.get(best, 0.0) / own[best]) if own[best] > 0 else 0.0
        left[caller] = min(left[caller], scores[caller] * (1 - 0.7 * share))
    return left


def reachable(start: str, edges: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return *start* and all that it calls, directly or not; cycles are no trouble."""
    callees: dict[str, set[str]] = defaultdict(set)
    for caller, callee in edges:
        callees[caller].add(callee)
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        component = waiting.pop()
        if component not in seen:
            seen.add(component)
            waiting += sorted(callees[component])
    return frozenset(seen)
