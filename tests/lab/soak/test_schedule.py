"""Drift told from arrivals: what is late, wanders, is missing or never comes must show."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from lab.soak.schedule import Schedule, schedule

INTERVAL, SINCE, UNTIL = 10.0, 1000.0, 1200.0
NAMES = [f"t{number}" for number in range(100)]


def fleet(offset: Callable[[int], float]) -> dict[str, list[float]]:
    """Give arrivals at spread starts, each run *offset* seconds beside its grid."""
    runs = int((UNTIL - SINCE) / INTERVAL)
    return {
        name: [SINCE + number / 10 + run * INTERVAL + offset(run) for run in range(runs)]
        for number, name in enumerate(NAMES)
    }


def judged(arrivals: dict[str, list[float]]) -> Schedule:
    """Judge arrivals of the whole fleet."""
    return schedule(arrivals, NAMES, interval_seconds=INTERVAL, since=SINCE, until=UNTIL)


def test_a_grid_with_jitter_has_no_drift() -> None:
    """Jitter beside the grid moves neither the fleet nor any target by more than itself."""
    chance = random.Random(1)
    found = judged(fleet(lambda _run: chance.uniform(-0.25, 0.25)))
    assert abs(found.drift_seconds) < 0.05
    assert 0.3 < found.wander_p99_seconds <= found.wander_most_seconds <= 0.5
    assert (found.missing, found.silent, found.runs) == (0, (), 2000)


def test_an_interval_that_is_a_little_long_is_drift() -> None:
    """Twenty milliseconds more each run are 0.4 s in 20 runs."""
    assert judged(fleet(lambda run: 0.02 * run)).drift_seconds == pytest.approx(0.4)


def test_jitter_that_adds_up_wanders() -> None:
    """One target whose offsets add up is the one that wandered most, though the fleet stays."""
    arrivals = fleet(lambda _run: 0.0)
    arrivals["t7"] = [at + 0.2 * run for run, at in enumerate(arrivals["t7"])]
    found = judged(arrivals)
    assert found.wander_most_seconds == pytest.approx(0.2 * 19)
    assert found.wander_p99_seconds == pytest.approx(0.0)
    assert found.drift_seconds == pytest.approx(0.0)


def test_a_drift_of_whole_intervals_is_not_taken_for_the_next_run() -> None:
    """Runs 12 s apart in place of 10 are no missing ones, and drift by 2 s each."""
    arrivals = {"t0": [SINCE + 12 * run for run in range(17)]}
    found = schedule(arrivals, ["t0"], interval_seconds=INTERVAL, since=SINCE, until=UNTIL)
    assert found.missing == 0
    assert found.wander_most_seconds == pytest.approx(32.0)


def test_runs_that_are_left_out_are_missing() -> None:
    """Two in the middle, two at the end, one at the beginning; and a target that never came."""
    arrivals = fleet(lambda _run: 0.0)
    del arrivals["t1"][5:7]
    del arrivals["t2"][-2:]
    del arrivals["t3"][:2]
    arrivals["t4"] = []
    found = judged(arrivals)
    assert found.missing == 2 + 2 + 1
    assert found.silent == ("t4",)


def test_nothing_came() -> None:
    """A fleet of which nobody came is silent, and no figure is made up."""
    found = judged({})
    assert found.silent == tuple(NAMES)
    assert (found.runs, found.drift_seconds, found.wander_most_seconds) == (0, 0.0, 0.0)
