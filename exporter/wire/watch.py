"""One epoll set inside the event loop: the loop says when a socket is ready, and only watches it.

Cheaper than a loop handle for each connection, and the sockets stay ours to read with recvmsg.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
_MOST_EVENTS = 256
_LONG_SECONDS = 0.0002


class Watcher:
    """Calls back when a descriptor is ready; level-triggered, so that a call may do a part.

    A call may come without reason (a descriptor closed and opened again within one batch).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._looked_at = 0.0
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[int, Callable[[], None]]] = {}
        loop.add_reader(self._epoll.fileno(), self.look)

    def watch(self, descriptor: int, events: int, call: Callable[[], None]) -> None:
        """Call *call* while one of *events* holds."""
        before = self._watched.get(descriptor)
        self._watched[descriptor] = (events, call)
        if before is None:
            self._epoll.register(descriptor, events)
        elif before[0] != events:
            self._epoll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Forget a descriptor that is closed next, which takes it out of the set."""
        self._watched.pop(descriptor, None)

    def close(self) -> None:
        """Watch nothing any more."""
        self.loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._watched.clear()

    def look_between(self) -> None:
        """Look where nobody did for a while.

        The loop looks at each of its turns; one in which many exchanges begin is long, and what
        comes meanwhile would be read in one piece, with one time: who does much calls this between.
        """
        if time.monotonic() - self._looked_at > _LONG_SECONDS:
            self.look()

    def look(self) -> None:
        """Call back for what is ready now."""
        self._looked_at = time.monotonic()
        for descriptor, _ in self._epoll.poll(0, _MOST_EVENTS):
            found = self._watched.get(descriptor)
            if found is not None:
                found[1]()
