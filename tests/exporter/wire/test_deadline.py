"""Deadlines: what is cancelled, when, and whose cancellation it is."""

from __future__ import annotations

import asyncio
import time

import pytest

from exporter.wire import deadline
from exporter.wire.deadline import Deadline


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_what_is_not_done_in_time_is_cancelled() -> None:
    """With TimeoutError, not before its time, and the task goes on afterwards."""
    begin = time.monotonic()
    with pytest.raises(TimeoutError), Deadline(0.02) as deadline:
        await _forever()
    assert deadline.expired
    assert time.monotonic() - begin >= 0.019
    await asyncio.sleep(0)


async def test_what_is_done_in_time_is_left_alone() -> None:
    """Also once its moment is over."""
    with Deadline(0.01) as deadline:
        await asyncio.sleep(0)
    await asyncio.sleep(0.03)
    assert not deadline.expired


async def test_another_cancellation_stays_one() -> None:
    """Who cancels the task is told so, and not that time was up."""

    async def work() -> None:
        with Deadline(5):
            await _forever()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_inner_one_ends_alone() -> None:
    """Its TimeoutError is the outer one's to pass on or not."""
    with Deadline(5) as outer:
        with pytest.raises(TimeoutError), Deadline(0.01):
            await _forever()
        await asyncio.sleep(0)
    assert not outer.expired


async def test_an_error_of_what_it_encloses_is_raised() -> None:
    """Even where the deadline expired meanwhile."""

    async def fail() -> None:
        try:
            await _forever()
        except asyncio.CancelledError:
            raise KeyError from None

    with pytest.raises(KeyError), Deadline(0.01):
        await fail()
    await asyncio.sleep(0)


async def test_many_end_each_at_its_own() -> None:
    """They share timers, not times."""
    begin = time.monotonic()

    async def wait(seconds: float) -> float:
        with pytest.raises(TimeoutError), Deadline(seconds):
            await _forever()
        return time.monotonic() - begin

    wanted = [0.01 + 0.002 * number for number in range(50)]
    took = await asyncio.gather(*map(wait, wanted))
    assert all(late >= due - 0.001 for late, due in zip(took, wanted, strict=True))


async def test_one_that_is_due_before_the_others_is_not_kept_waiting() -> None:
    """Whatever was asked for first, and however many were met meanwhile."""
    with Deadline(60) as far, Deadline(5) as near:
        for _ in range(20):
            with Deadline(0.005):
                await asyncio.sleep(0)
        with pytest.raises(TimeoutError), Deadline(0.01):
            await _forever()
        with pytest.raises(TimeoutError), Deadline(0.01):
            await _forever()
    assert not far.expired
    assert not near.expired


async def test_a_long_one_is_late_by_little_and_never_early() -> None:
    """By a fifteenth of a second: the moment at which it rings is known beforehand."""
    loop = asyncio.get_running_loop()
    for seconds in (4.001, 10.0, 33.3, 600.0):
        rings = deadline._Rings(loop)
        now = loop.time()
        rings.bring(Deadline(seconds), seconds)
        (number,) = rings._due
        assert now + seconds <= number / deadline._RINGS_A_SECOND <= loop.time() + seconds + 0.068
        rings._due.clear()


def test_it_needs_a_task() -> None:
    """A callback of the loop has nothing to cancel."""

    async def call() -> BaseException | None:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[BaseException | None] = loop.create_future()

        def within() -> None:
            try:
                with Deadline(1):
                    found.set_result(None)
            except RuntimeError as error:
                found.set_result(error)

        loop.call_soon(within)
        return await found

    assert isinstance(asyncio.run(call()), RuntimeError)
