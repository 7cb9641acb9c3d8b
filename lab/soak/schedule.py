"""Whether a schedule drifts: told from the times at which its runs arrived, and nothing else."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Arrivals = Mapping[str, Sequence[float]]
"""When each target's runs came, in order, in seconds of one clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """What the arrivals of a fleet say of its schedule.

    A target's grid is its first arrival and each interval after it. `drift_seconds` is how far the
    fleet as a whole moved off its grids over the time watched: the median of the targets' slopes,
    times that time. `wander_*_seconds` is between a target's earliest and latest arrival beside its
    grid: the jitter and what the machine adds, and more only when a schedule wanders off.
    `missing` counts the runs that should have come and did not, of `silent` targets all of them.
    """

    runs: int
    missing: int
    silent: tuple[str, ...]
    drift_seconds: float
    wander_p99_seconds: float
    wander_most_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Course:
    """One target's runs: how many seconds each was beside the grid, and how many lack."""

    offsets: tuple[float, ...]
    slope: float
    missing: int

    @property
    def wander_seconds(self) -> float:
        """Between the earliest and the latest beside the grid."""
        return max(self.offsets) - min(self.offsets)


def schedule(
    arrivals: Arrivals,
    expected: Sequence[str],
    *,
    interval_seconds: float,
    since: float,
    until: float,
) -> Schedule:
    """Judge the arrivals of the *expected* targets, which were watched from *since* to *until*."""
    silent = tuple(name for name in expected if not arrivals.get(name))
    came = [arrivals[name] for name in expected if arrivals.get(name)]
    courses = [_course(times, interval_seconds) for times in came]
    ends = [gap for times in came for gap in (times[0] - since, until - times[-1])]
    wander = sorted(course.wander_seconds for course in courses) or [0.0]
    slopes = [course.slope for course in courses if len(course.offsets) > 1]
    return Schedule(
        runs=sum(len(course.offsets) for course in courses),
        missing=sum(course.missing for course in courses)
        + sum(max(0, round(gap / interval_seconds) - 1) for gap in ends),
        silent=silent,
        drift_seconds=statistics.median(slopes) * (until - since) if slopes else 0.0,
        wander_p99_seconds=wander[int(0.99 * (len(wander) - 1))],
        wander_most_seconds=wander[-1],
    )


def _course(times: Sequence[float], interval_seconds: float) -> _Course:
    """Lay one target's arrivals beside its grid.

    Which place of the grid a run belongs to is counted from the run before, so that one that has
    drifted far is not taken for the next one.
    """
    places, missing = [0], 0
    for before, at in itertools.pairwise(times):
        step = max(1, round((at - before) / interval_seconds))
        missing += step - 1
        places.append(places[-1] + step)
    grid = [place * interval_seconds for place in places]
    offsets = tuple(at - times[0] - due for at, due in zip(times, grid, strict=True))
    slope = statistics.linear_regression(grid, offsets).slope if len(grid) > 1 else 0.0
    return _Course(offsets=offsets, slope=slope, missing=missing)
