"""How late the event loop is: what a time taken from a read may be wrong by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PERIOD_SECONDS = 0.1


async def measure(
    observe: Callable[[float], object], clock: Callable[[], float] = time.monotonic
) -> None:
    """Observe, ten times a second until cancelled, by how many seconds a timer came late."""
    while True:
        planned = clock() + PERIOD_SECONDS
        await asyncio.sleep(PERIOD_SECONDS)
        observe(max(0.0, clock() - planned))
