"""Opening a connection: the addresses in turn, the next one started while the first is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from exporter.target import Reason
from exporter.wire.failure import FailedError
from exporter.wire.link import Link
from exporter.wire.place import Endpoint
from exporter.wire.watch import Watcher

_HEAD_START_SECONDS = 0.25  # RFC 8305, section 5: the connection attempt delay


async def dial(watcher: Watcher, clock: Callable[[], float], endpoints: Sequence[Endpoint]) -> Link:
    """Connect to the first that answers; raises FailedError (connect)."""
    try:
        if len(endpoints) > 1:
            return await _race(watcher, clock, endpoints)
        link = Link(watcher, clock)
        try:
            if not link.begin(endpoints[0]):
                await link.connected()
        except BaseException:
            link.close()
            raise
    except OSError:
        raise FailedError(Reason.CONNECT, "not connected") from None
    return link


async def _open(watcher: Watcher, clock: Callable[[], float], endpoint: Endpoint) -> Link:
    link = Link(watcher, clock)
    try:
        if not link.begin(endpoint):
            await link.connected()
    except BaseException:
        link.close()
        raise
    return link


async def _race(
    watcher: Watcher, clock: Callable[[], float], endpoints: Sequence[Endpoint]
) -> Link:
    left = list(endpoints)
    trying: set[asyncio.Task[Link]] = set()
    opened: list[Link] = []
    error: OSError = OSError("no address")
    try:
        while (left or trying) and not opened:
            if left:
                trying.add(asyncio.create_task(_open(watcher, clock, left.pop(0))))
            wait_seconds = _HEAD_START_SECONDS if left else None
            done, trying = await asyncio.wait(
                trying, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                failure = task.exception()
                if failure is None:
                    opened.append(task.result())
                elif isinstance(failure, OSError):
                    error = failure
                else:
                    raise failure
    finally:
        for task in trying:
            task.add_done_callback(_close_late)
            task.cancel()
    if not opened:
        raise error
    for link in opened[1:]:
        link.close()
    return opened[0]


def _close_late(task: asyncio.Task[Link]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
