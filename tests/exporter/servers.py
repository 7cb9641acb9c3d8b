"""Servers over raw sockets that misbehave, each in its own way."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\n"
STREAM = OK + b"Content-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def serving(behaviour: Behaviour) -> AsyncIterator[str]:
    """Serve *behaviour* on a free port; yield the address; nothing of it outlives the context."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await behaviour(reader, writer)
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """Read a request, its body included."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


def says(*pieces: bytes, every_seconds: float = 0.0) -> Behaviour:
    """Answer any request with these pieces, then close."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every_seconds)
        writer.close()
        await writer.wait_closed()

    return behave


def forever(head: bytes, piece: bytes, every_seconds: float = 0.0) -> Behaviour:
    """Answer with a head, then the same piece without end."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every_seconds)

    return behave


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    del writer
    while await reader.read(1 << 16):
        pass


async def speaks_first(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer in plain HTTP whatever is asked, even a TLS handshake."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0.2)


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request and break the connection."""
    await request_of(reader)
    writer.transport.abort()


async def gibibyte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Announce and send 1 GiB, as far as anyone reads."""
    await request_of(reader)
    writer.write(OK + b"Content-Length: 1073741824\r\n\r\n")
    for _ in range(1 << 14):
        writer.write(b"x" * (1 << 16))
        await writer.drain()


def gzip_bomb() -> Behaviour:
    """Answer with a small body that grows to 64 MiB."""
    body = gzip.compress(b"\0" * (64 << 20), 9)
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    return says(OK + head + body)


def event(data: bytes) -> bytes:
    """Return one server-sent event."""
    return b"data: " + data + b"\n\n"


def delta(text: str, field: str = "content") -> bytes:
    """Return one event with a piece of an answer."""
    return event(b'{"choices":[{"index":0,"delta":{"%s":"%s"}}]}' % (field.encode(), text.encode()))


def finished(reason: str = "stop") -> bytes:
    """Return the event that ends a choice."""
    return event(b'{"choices":[{"index":0,"delta":{},"finish_reason":"%s"}]}' % reason.encode())


DONE = event(b"[DONE]")
GARBAGE = bytes(range(256)) * 8
