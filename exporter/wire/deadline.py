"""Deadlines of many waits at once, with few timers: most are met, and a timer each would cost more.

A timer of the loop, set and cancelled, costs as much as parsing an answer.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

_RINGS_A_SECOND = 256


class _Rings:
    """Moments of one loop at which deadlines are due, each with one timer that is left to ring."""

    __slots__ = ("_due", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._due: dict[int, dict[Deadline, None]] = {}

    def bring(self, deadline: Deadline, seconds: float) -> dict[Deadline, None]:
        """Have *deadline* expire once they are over, at most a ring later; return where it is."""
        number = int((self.loop.time() + seconds) * _RINGS_A_SECOND) + 1
        due = self._due.get(number)
        if due is None:
            due = self._due[number] = {}
            self.loop.call_at(number / _RINGS_A_SECOND, self._ring, number)
        due[deadline] = None
        return due

    def _ring(self, number: int) -> None:
        for deadline in list(self._due.pop(number)):
            deadline.expire()


class _Current:
    """The rings of the loop that was asked for last; a process has one loop but in tests."""

    rings: _Rings | None = None


def _rings() -> _Rings:
    loop = asyncio.get_running_loop()
    rings = _Current.rings
    if rings is None or rings.loop is not loop:
        rings = _Current.rings = _Rings(loop)
    return rings


class Deadline:
    """Cancels what it encloses once its seconds are over, and raises TimeoutError instead.

    Late by 4 ms at most, besides what the loop is.
    """

    __slots__ = ("_cancelling", "_due", "_seconds", "_task", "expired")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._task: asyncio.Task[object] | None = None
        self._due: dict[Deadline, None] = {}
        self._cancelling = 0
        self.expired = False

    def __enter__(self) -> Self:
        """Begin; within a task only."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("deadline: not within a task; await it in one")
        self._task, self._cancelling = task, task.cancelling()
        self._due = _rings().bring(self, self._seconds)
        return self

    def expire(self) -> None:
        """Cancel what waits."""
        self.expired = True
        if self._task is not None:
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        """End; another's cancellation stays one."""
        self._due.pop(self, None)
        task, self._task = self._task, None
        if not self.expired or task is None:
            return
        is_ours = task.uncancel() <= self._cancelling
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from None
