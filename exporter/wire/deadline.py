"""Deadlines of many waits at once, with one timer: most are met, and a timer each would cost more.

A timer of the loop, set and cancelled, costs as much as parsing an answer; one that rings for
nothing wakes a process that sleeps.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from threading import get_ident
from types import TracebackType
from typing import Self

_RINGS_A_SECOND = 256
_LONG_SECONDS = 4.0
_BITS_BETWEEN = 15  # of every sixteen rings, long ones have the first
_NEVER = 1 << 62


class _Rings:
    """Moments of one loop at which deadlines are due, and a timer for the first of them."""

    __slots__ = ("_due", "_next", "_timer", "loop", "thread")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.thread = get_ident()
        self._due: dict[int, dict[Deadline, None]] = {}
        self._next = _NEVER
        self._timer: asyncio.TimerHandle | None = None

    def bring(self, deadline: Deadline, seconds: float) -> dict[Deadline, None]:
        """Have *deadline* expire once they are over, at most a ring later; return where it is."""
        number = int((self.loop.time() + seconds) * _RINGS_A_SECOND) + 1
        if seconds > _LONG_SECONDS:
            number = (number | _BITS_BETWEEN) + 1
        try:
            due = self._due[number]
        except KeyError:
            due = self._due[number] = {}
            if number < self._next:
                self._arm(number)
        due[deadline] = None
        return due

    def _arm(self, number: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = number
        self._timer = self.loop.call_at(number / _RINGS_A_SECOND, self._ring)

    def _ring(self) -> None:
        # The timer may be early by the loop's millisecond.
        now = max(self._next, int(self.loop.time() * _RINGS_A_SECOND))
        rung = [each for number, due in self._due.items() if number <= now for each in due]
        self._due = {number: due for number, due in self._due.items() if due and number > now}
        self._next, self._timer = _NEVER, None
        if self._due:
            self._arm(min(self._due))
        for deadline in rung:
            deadline.expire()


class _Current:
    """The rings of the loop that was asked for last; a process has one loop but in tests."""

    rings: _Rings | None = None


def _found() -> tuple[_Rings, asyncio.Task[object] | None]:
    """Return the running loop's rings and its task."""
    rings, loop = _Current.rings, asyncio.get_running_loop()
    if rings is None or rings.loop is not loop:
        rings = _Current.rings = _Rings(loop)
    return rings, current_task(loop)


class Deadline:
    """Cancels what it encloses once its seconds are over, and raises TimeoutError instead.

    Late by 4 ms at most, by 67 where it is longer than 4 s, besides what the loop is.
    """

    __slots__ = ("_cancelling", "_due", "_seconds", "_task", "expired")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.expired = False

    def __enter__(self) -> Self:
        """Begin; within a task only."""
        rings = _Current.rings
        task = None
        if rings is not None and rings.thread == get_ident():
            # Asking which loop runs is a system call on some Pythons; this one runs a task here.
            task = current_task(rings.loop)
        if rings is None or task is None:
            rings, task = _found()
        if task is None:
            raise RuntimeError("deadline: not within a task; await it in one")
        self._task: asyncio.Task[object] | None = task
        self._cancelling = task.cancelling()
        self._due = rings.bring(self, self._seconds)
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
