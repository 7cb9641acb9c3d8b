"""A connection: what is read, when, and what is left when the far end is gone; dialling it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from exporter.target import Reason
from exporter.wire.dial import dial
from exporter.wire.failure import FailedError
from exporter.wire.link import Link
from exporter.wire.place import Endpoint
from exporter.wire.pool import IDLE_SECONDS, MOST_PER_ORIGIN, Pool
from exporter.wire.watch import Watcher

Read = tuple[bytes, float, float | None]


@asynccontextmanager
async def served(
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None] | None = None,
) -> AsyncIterator[tuple[Endpoint, list[asyncio.StreamWriter]]]:
    """Serve on a free port; yield where, and the connections that came."""
    came: list[asyncio.StreamWriter] = []
    every: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)
        every.append(writer)
        if behave is not None:
            behave(reader, writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Endpoint(family=socket.AF_INET, address=("127.0.0.1", port)), came
    finally:
        server.close()
        for writer in every:
            writer.transport.abort()
        for _ in range(5):
            await asyncio.sleep(0)  # what was aborted is closed in the loop's next turns


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop work until something holds."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - it may be anything, and tells nobody
            await asyncio.sleep(0.001)


async def test_what_is_read_has_the_kernels_time(watcher: Watcher) -> None:
    """The stamp is of the kernel's clock; the end of the connection is an empty read."""
    async with served() as (endpoint, came):
        link = await dial(watcher, time.monotonic, [endpoint])
        link.stamp()
        read: list[Read] = []
        link.listen(lambda *each: read.append(each))
        await until(lambda: bool(came))
        came[0].write(b"hello")
        await until(lambda: bool(read))
        data, _, stamp = read[0]
        assert data == b"hello"
        assert stamp is not None
        assert abs(stamp - time.time()) < 5
        came[0].close()
        await until(lambda: len(read) == 2)
        assert read[1][0] == b""
        link.close()


async def test_the_last_answer_closes_the_connection(watcher: Watcher) -> None:
    """At once, so that the far end's own closing is not read; one that may be kept stays open."""
    async with served() as (endpoint, came):
        for last in (True, False):
            link = await dial(watcher, time.monotonic, [endpoint])
            read: list[bytes] = []

            def take(data: bytes, *_: object, read: list[bytes] = read) -> bool:
                read.append(data)
                return data == b"all"

            link.listen(take, last=last)
            await until(lambda: bool(came))
            came.pop().write(b"all")
            await until(lambda read=read: bool(read))  # type: ignore[misc]
            assert read == [b"all"]
            assert link.closed is last
            link.close()


async def test_a_large_request_is_sent_whole(watcher: Watcher) -> None:
    """More than the kernel takes at once, while the far end is slow to read."""
    size = 0
    done = asyncio.Event()

    def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        async def read() -> None:
            nonlocal size
            while data := await reader.read(1 << 16):
                size += len(data)
            done.set()

        tasks.add(asyncio.create_task(read()))

    tasks: set[asyncio.Task[None]] = set()
    async with served(behave) as (endpoint, _), asyncio.timeout(10):
        link = await dial(watcher, time.monotonic, [endpoint])
        await link.send(b"x" * (8 << 20))
        link.close()
        await done.wait()
    assert size == 8 << 20


async def test_nobody_there_is_told(watcher: Watcher) -> None:
    """A refused connection, of one address or of two, is the reason connect."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = Endpoint(family=socket.AF_INET, address=("127.0.0.1", port))
    for endpoints in ([endpoint], [endpoint, endpoint]):
        with pytest.raises(FailedError) as refused:
            await dial(watcher, time.monotonic, endpoints)
        assert refused.value.reason is Reason.CONNECT


async def test_the_next_address_is_tried(watcher: Watcher) -> None:
    """One that refuses is followed by one that answers."""
    async with served() as (endpoint, came):
        nobody = Endpoint(family=socket.AF_INET, address=("127.0.0.1", 1))
        link = await dial(watcher, time.monotonic, [nobody, endpoint])
        await until(lambda: bool(came))
        assert not link.closed
        link.close()


async def kept(watcher: Watcher, endpoint: Endpoint, pool: Pool) -> Link:
    """Dial, and put the connection into the pool."""
    link = await dial(watcher, time.monotonic, [endpoint])
    link.listen(lambda *_: None)
    pool.give("key", link)
    return link


async def test_a_kept_connection_is_given_once(watcher: Watcher) -> None:
    """To who asks for what it is good for."""
    async with served() as (endpoint, came):
        pool = Pool(time.monotonic)
        link = await kept(watcher, endpoint, pool)
        await until(lambda: bool(came))
        assert pool.take("other") is None
        assert pool.take("key") is link
        assert pool.take("key") is None
        link.close()


async def test_a_connection_that_the_far_end_closed_is_not_given(watcher: Watcher) -> None:
    """Nor one on which something came unasked."""
    async with served() as (endpoint, came):
        pool = Pool(time.monotonic)
        for unasked in (b"", b"unasked"):
            link = await kept(watcher, endpoint, pool)
            await until(lambda: bool(came))
            came[0].write(unasked) if unasked else came[0].close()
            came.clear()
            await until(lambda link=link: link.closed)  # type: ignore[misc]
            assert pool.take("key") is None


async def test_few_are_kept_and_none_for_long(watcher: Watcher) -> None:
    """More per origin than are used at once are closed, and what has been idle is."""
    now = 0.0
    async with served() as (endpoint, came):
        pool = Pool(lambda: now)
        links = [await kept(watcher, endpoint, pool) for _ in range(MOST_PER_ORIGIN + 2)]
        await until(lambda: len(came) == len(links))
        assert [each.closed for each in links] == [False] * MOST_PER_ORIGIN + [True] * 2
        now = IDLE_SECONDS + 1
        pool.sweep()
        assert all(each.closed for each in links)
        assert pool.take("key") is None
        pool.close()
