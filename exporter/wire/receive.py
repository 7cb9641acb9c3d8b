"""Waiting for one response on a connection, within its deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from exporter.target import Reason
from exporter.wire.failure import FailedError
from exporter.wire.response import Response


class Receiver:
    """Feeds what a link reads to a response, and wakes one waiter at the end.

    `stall_seconds` bounds the wait between two pieces of the body, those that `spoke` says yes to
    where it is given; None is no bound.
    """

    __slots__ = (
        "_clock",
        "_last_at",
        "_loop",
        "_spoke",
        "_stall",
        "_timer",
        "finished",
        "response",
    )

    def __init__(
        self,
        response: Response,
        clock: Callable[[], float],
        stall_seconds: float | None,
        spoke: Callable[[], bool] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self.response = response
        self._clock = clock
        self._stall = stall_seconds
        self._spoke = spoke
        self._last_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def take(self, data: bytes, at: float, stamp: float | None) -> bool:
        """Feed what was read; return whether that was all. Nothing it brings is raised here."""
        finished, response = self.finished, self.response
        if finished.done():
            return True
        try:
            if data:
                response.feed(data, at, stamp)
            else:
                response.end()
        except Exception as error:  # noqa: BLE001 - the waiter raises it
            finished.set_exception(error)
            return True
        if response.done:
            finished.set_result(None)
            return True
        if self._stall is not None and response.reads and (self._spoke is None or self._spoke()):
            self._last_at = at
            if self._timer is None:
                self._timer = self._loop.call_later(self._stall, self._look)
        return False

    def _look(self) -> None:
        """Give up when nothing came since; else look again when that would be due."""
        stall_seconds = self._stall or 0.0
        left_seconds = self._last_at + stall_seconds - self._clock()
        if left_seconds > 0:
            # The loop's timers may be early by their millisecond.
            self._timer = self._loop.call_later(left_seconds + 0.001, self._look)
        elif not self.finished.done():
            self.finished.set_exception(
                FailedError(Reason.STALL, f"nothing new came for {stall_seconds:g} s")
            )

    async def wait(self) -> None:
        """Wait for the response's end; raises FailedError."""
        await self.finished

    def close(self) -> None:
        """Wait for nothing any more."""
        self.response.close()
        if self._timer is not None:
            self._timer.cancel()
        if self.finished.done():
            if not self.finished.cancelled():
                self.finished.exception()  # seen, should nobody have waited
        else:
            self.finished.cancel()
