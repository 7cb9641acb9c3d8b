"""What investigations under way at once ask alike is asked once: they look at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

KEPT_SECONDS = 2.0
MOST_KEPT = 512


class Moment:
    """The answers of one source for as long as a moment lasts; what went wrong is not kept."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._flights: dict[Hashable, asyncio.Future[Any]] = {}

    async def once(
        self,
        key: Hashable,
        ask: Callable[[], Awaitable[T]],
        *,
        is_good: Callable[[T], bool],
        until: float,
    ) -> T:
        """Give what another got for this *key* just now, or is about to get; else *ask*.

        What is given is not to be changed. A bad answer may be due to the other's own deadline, so
        whoever waited for it asks again. *until* is when waiting ends, by the loop's time.
        """
        flight = self._flights.get(key)
        if flight is None:
            return await self._fly(key, ask, is_good)
        left_seconds = max(0.0, until - asyncio.get_running_loop().time())
        await asyncio.wait([flight], timeout=left_seconds)
        if flight.done() and not flight.cancelled():
            found: T = flight.result()
            if is_good(found):
                return found
        return await ask()

    async def _fly(
        self, key: Hashable, ask: Callable[[], Awaitable[T]], is_good: Callable[[T], bool]
    ) -> T:
        if len(self._flights) >= MOST_KEPT:
            return await ask()
        loop = asyncio.get_running_loop()
        flight = self._flights[key] = loop.create_future()
        kept_seconds = 0.0
        try:
            answer = await ask()
            flight.set_result(answer)
            kept_seconds = KEPT_SECONDS if is_good(answer) else 0.0
        finally:
            flight.cancel()  # nothing when it has its result
            if kept_seconds:
                loop.call_later(kept_seconds, self._forget, key, flight)
            else:
                self._forget(key, flight)
        return answer

    def _forget(self, key: Hashable, flight: asyncio.Future[Any]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
