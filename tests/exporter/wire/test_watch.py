"""Sockets that the loop only watches."""

from __future__ import annotations

import asyncio
import socket

from exporter.wire.watch import READABLE, Watcher


async def test_a_ready_socket_is_called_until_it_is_forgotten(watcher: Watcher) -> None:
    """A call that reads a part is called again for the rest."""
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        read: list[bytes] = []
        watcher.watch(here.fileno(), READABLE, lambda: read.append(here.recv(2)))
        there.send(b"abcd")
        async with asyncio.timeout(5):
            while len(read) < 2:  # noqa: ASYNC110 - the watcher calls back, it tells nobody
                await asyncio.sleep(0)
        assert read == [b"ab", b"cd"]
        watcher.watch(here.fileno(), 0, lambda: read.append(b"never"))
        there.send(b"e")
        watcher.forget(here.fileno())
        for _ in range(20):
            await asyncio.sleep(0)
        assert read == [b"ab", b"cd"]
