"""How late the loop is."""

from __future__ import annotations

import asyncio

from exporter.wire import lag


async def test_what_a_timer_is_late_by_is_observed() -> None:
    """A clock that runs ahead meanwhile is lag; one that stands still is none."""
    seen: list[float] = []
    times = iter([0.0, 0.4, 1.0, 1.0])
    enough = asyncio.Event()

    def observe(seconds: float) -> None:
        seen.append(round(seconds, 6))
        if len(seen) == 2:
            enough.set()

    task = asyncio.create_task(lag.measure(observe, lambda: next(times)))
    async with asyncio.timeout(5):
        await enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert seen == [0.3, 0.0]
