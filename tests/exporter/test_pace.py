"""How often a target is probed as its state changes; time is given."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import Any

import pytest

from exporter import metrics
from exporter.pace import next_interval_seconds
from exporter.record import TargetRecord
from exporter.target import Exchange, Pace, State
from tests.exporter.test_agent import runs_of
from tests.exporter.world import World, exchange, http

BOTH = {"pace": {"fastest": "5s", "slowest": "30s"}}


@pytest.mark.parametrize(
    ("given", "current", "state", "then"),
    [
        ({}, 10, State.DOWN, 10),
        ({}, 10, State.OK, 10),
        (BOTH, 10, State.OK, 12.5),
        (BOTH, 28, State.OK, 30),
        (BOTH, 5, State.OK, 6.25),
        (BOTH, 30, State.DOWN, 5),
        (BOTH, 30, State.HUNG, 5),
        (BOTH, 30, State.UNRESPONSIVE, 5),
        (BOTH, 30, State.WRONG, 5),
        (BOTH, 30, State.DEGRADED, 10),
        (BOTH, 30, State.SATURATED, 10),
        (BOTH, 30, State.UNKNOWN, 10),
        (BOTH, 6, State.SATURATED, 6),
        ({"pace": {"slowest": "30s"}}, 30, State.DOWN, 10),
        ({"pace": {"fastest": "5s"}}, 8, State.OK, 10),
        ({"pace": {"fastest": "5s"}}, 9, State.OK, 10),
    ],
)
def test_interval_after_a_run(
    given: dict[str, Any], current: float, state: State, then: float
) -> None:
    """Failing is probed fastest at once, well ever more rarely; without bounds nothing changes."""
    assert next_interval_seconds(http(**given), current, state) == then


@pytest.mark.parametrize("state", State)
def test_the_bounds_hold_from_anywhere(state: State) -> None:
    """No state and no history leads out of the configured bounds."""
    target = http(**BOTH)
    for current in (5.0, 7.3, 10.0, 29.9, 30.0):
        assert 5 <= next_interval_seconds(target, current, state) <= 30


async def test_agent_slows_down_and_hurries_when_it_fails() -> None:
    """Runs drift apart while all is well, and follow at the shortest interval after a failure."""
    world = World(lambda _: exchange(), took_seconds=0)
    agent = world.agent(http(**BOTH))
    task = asyncio.create_task(agent.work())
    while len(world.asked) < 9:  # noqa: ASYNC110 - the clock is ours, and tells nobody
        await asyncio.sleep(0)
    world.answer = lambda _: exchange(status=500)
    while len(world.asked) < 13:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gaps = [after - before for (before, _), (after, _) in itertools.pairwise(world.asked)]
    assert gaps[:5] == pytest.approx([12.5, 15.625, 19.53125, 24.4140625, 30])
    assert gaps[-2:] == pytest.approx([5, 5])


async def test_interval_of_now_is_shown_and_decides_what_is_stale() -> None:
    """Three of the intervals that runs now have may pass, be they long or short."""
    answers = iter([exchange(), exchange(), exchange(status=500)])
    world = World(lambda _: next(answers))
    agent = world.agent(http(**BOTH))
    record = agent.record
    shown = []
    for _ in range(3):
        await agent.run_once()
        interval = record.samples(world.now)[metrics.INTERVAL][0].value
        shown.append(interval)
        assert not record.is_stale(world.now + 3 * interval - 1)
        assert record.is_stale(world.now + 3 * interval + 1)
    assert shown == [12.5, 15.625, 5]


async def test_changed_settings_begin_at_their_own_interval() -> None:
    """A reload ends a slow-down."""
    record = TargetRecord(http(**BOTH), now=0)
    record.interval_seconds = 30
    record.adopt(http(interval="20s", pace=Pace(slowest=60)), now=0)
    assert record.interval_seconds == 20


@pytest.mark.parametrize(("chance", "beside"), [(0.0, -0.25), (0.5, 0), (0.999, 0.25)])
async def test_runs_have_jitter(chance: float, beside: float) -> None:
    """Each is up to a fortieth of the interval beside its due time, which stays where it was."""
    world = World(lambda _: Exchange(times=exchange().times, status=200), took_seconds=0)
    world.around = replace(world.around, chance=lambda: chance)
    at = await runs_of(world, world.agent(http()), 1100)
    off = [run - at[0] - 10 * number for number, run in enumerate(at)][1:]
    assert off == pytest.approx([beside] * len(off), abs=0.01)
    assert len(off) > 5
