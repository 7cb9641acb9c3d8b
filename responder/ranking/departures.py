"""How far each series left what it used to be: robust, in its own noise, gated by its size.

Robust noise and directional deviation as in the published rankers (N-Sigma; BARO, Pham et al.,
FSE 2024); here each scale is the largest of several, since any one of them is zero for many real
series, and the deviation is the lesser of two, from the long run and from just before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from responder.ranking.panel import SYMPTOMS, Column, Flags, Floats, Panel
from responder.ranking.tuning import Tuning


@dataclass(frozen=True, kw_only=True, slots=True)
class Departures:
    """Per series: the level before, its noise, and how it departed.

    `before` is the median of the last usual samples, NaN without any. `rise` and `fall` are the
    deviations up and down in the series' unit; `reach` is the one that is worse, `way` its
    direction, `sized` it in noises (capped), `gate` its relative size in [0, 1]. `first` is the row
    where it began, counted from the base's end; past the last when it did not.
    """

    before: Floats
    noise: Floats
    rise: Floats
    fall: Floats
    reach: Floats
    way: Floats
    sized: Floats
    gate: Floats
    first: Floats


def departures(panel: Panel, tuning: Tuning) -> Departures:
    """Compare the late rows of a panel with its usual ones; all finite, 0 where nothing is said."""
    base = panel.values[: panel.base_end]
    late = panel.values[panel.late :]
    ways = np.array([column.way for column in panel.columns], dtype=np.float64)
    usual, long_noise, high = _long_run(base)
    before, near_noise = _just_before(base[-tuning.near_samples :])
    before = np.where(np.isnan(before), usual, before)
    enough = np.isfinite(base).sum(axis=0) >= tuning.least_samples
    peers = _peers(panel.columns)
    noise = _lent(np.maximum(near_noise, long_noise), peers, panel.columns, tuning)
    rise, fall = (
        np.where(
            enough, np.nan_to_num(_reach(sign * late, sign * before, sign * usual, tuning)), 0.0
        )
        for sign in (1.0, -1.0)
    )
    way = np.where(ways == 0, np.where(rise >= fall, 1.0, -1.0), ways)
    reach = np.where(way > 0, rise, fall)
    sizes = _sizes(before, high, peers, panel.columns, tuning)
    return Departures(
        before=before,
        noise=noise,
        rise=rise,
        fall=fall,
        reach=reach,
        way=way,
        sized=np.minimum(ratio(reach, noise), tuning.most_noises),
        gate=_gate(reach, sizes, panel.columns, tuning),
        first=_first((panel.values[panel.base_end :] - before) * way, reach, noise),
    )


def quantiles(block: Floats, shares: Sequence[float]) -> list[Floats]:
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


def _long_run(block: Floats) -> tuple[Floats, Floats, Floats]:
    """Give each column's median, its noise and its usual high.

    The noise is what half of the samples agree on: an earlier incident may lie in the window.
    """
    first, middle, third, high = quantiles(block, (0.25, 0.5, 0.75, 0.95))
    return middle, _largest((third - first) / 1.349, 0.02 * np.abs(middle)), high


def _just_before(block: Floats) -> tuple[Floats, Floats]:
    """Give each column's median and the largest of three scales of a normal's width."""
    low, first, middle, third, high = quantiles(block, (0.05, 0.25, 0.5, 0.75, 0.95))
    scales = ((third - first) / 1.349, (high - low) / 3.290, 0.02 * np.abs(middle))
    return middle, _largest(*scales)


def _largest(*scales: Floats) -> Floats:
    largest: Floats = np.max(np.stack([np.nan_to_num(each) for each in scales]), axis=0)
    return largest


def _quantile(values: Floats, share: float) -> float:
    return float(quantiles(values[:, None], (share,))[0][0])


def _peers(columns: Sequence[Column]) -> list[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, column in enumerate(columns):
        groups[column.metric].append(index)
    return list(groups.values())


def _lent(
    noise: Floats, peers: Sequence[Sequence[int]], columns: Sequence[Column], tuning: Tuning
) -> Floats:
    """Give silent series the noise of peers that are not, so that no unit decides.

    A resource that never moved gets much of it: that it moves at all says little. A symptom gets
    the least, and no more than a part of what is sizable: errors where there were none say a lot.
    """
    lent = noise.copy()
    for members in peers:
        own = noise[members]
        loud = own[own > 0]
        if columns[members[0]].family in SYMPTOMS:
            sizes = np.array([columns[index].size for index in members])
            least = np.where(sizes > 0, tuning.silent_share * sizes, np.inf)
            least = np.minimum(least, loud.min() if len(loud) else np.inf)
            lent[members] = np.where((own > 0) | np.isinf(least), own, least)
            continue
        if not len(loud):
            continue
        own = np.where(own > 0, own, _quantile(loud, tuning.resource_quantile))
        lent[members] = np.maximum(own, tuning.peer_noise * _quantile(loud, 0.5))
    return lent


def _reach(late: Floats, before: Floats, usual: Floats, tuning: Tuning) -> Floats:
    """Give how far above both levels a column went; what had risen long before counts little."""
    return np.minimum(_top(late - before, tuning), _top(late - usual, tuning))


def _top(block: Floats, tuning: Tuning) -> Floats:
    """Mean of the highest share of each column, its single highest cut to the second.

    One spike does not make it, a minority does; NaN where there is no sample.
    """
    ordered = -np.sort(np.ascontiguousarray(-block.T), axis=1)  # highest first, NaN last
    counts = np.isfinite(ordered).sum(axis=1)
    if ordered.shape[1] >= 3:
        ordered[:, 0] = np.where(counts >= 3, ordered[:, 1], ordered[:, 0])
    kept = np.maximum(np.ceil(tuning.top_share * counts), np.minimum(counts, 2)).astype(np.int64)
    ranks = np.arange(ordered.shape[1])[None, :]
    total: Floats = np.where(ranks < kept[:, None], np.maximum(ordered, 0.0), 0.0).sum(axis=1)
    return np.where(kept > 0, total / np.maximum(kept, 1), np.nan)


def ratio(above: Floats, below: Floats) -> Floats:
    """Divide without a warning; something over nothing is a million, nothing over nothing 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(below > 0, above / below, np.where(above > 0, np.inf, 0.0))
    return np.nan_to_num(ratio, posinf=1e6)


def _sizes(
    before: Floats,
    high: Floats,
    peers: Sequence[Sequence[int]],
    columns: Sequence[Column],
    tuning: Tuning,
) -> Floats:
    """Give what counts as sizable for each series: its level, or what is usual among its peers.

    A resource must be sizable beside what most of its peers use at their highest.
    """
    level, high = np.abs(np.nan_to_num(before)), np.abs(np.nan_to_num(high))
    sizes = np.array([column.size for column in columns])
    for members in peers:
        is_symptom = columns[members[0]].family in SYMPTOMS
        among = (level if is_symptom else high)[members]
        share = tuning.symptom_quantile if is_symptom else tuning.resource_quantile
        alive = among[among > 0]
        peer = _quantile(alive, share) if len(alive) else 0.0
        sizes[members] = np.where(sizes[members] > 0, sizes[members], peer)
    largest: Floats = np.maximum(level, sizes)
    return largest


def _gate(reach: Floats, sizes: Floats, columns: Sequence[Column], tuning: Tuning) -> Floats:
    relative = ratio(reach, sizes)
    least = np.array([column.least for column in columns])
    gate: Floats = np.where(reach >= least, relative / (relative + tuning.gate_ratio), 0.0)
    return gate


def _first(above: Floats, reach: Floats, noise: Floats) -> Floats:
    far: Flags = np.nan_to_num(above) > np.maximum(3 * noise, 0.2 * reach)
    row: Floats = np.where(far.any(axis=0), far.argmax(axis=0), above.shape[0]).astype(np.float64)
    return row
