"""Waiting for a response: its end, its fault, its stall."""

from __future__ import annotations

import asyncio
import time

import pytest

from exporter.target import Reason
from exporter.wire.failure import FailedError
from exporter.wire.receive import Receiver
from exporter.wire.response import Response

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


def receiver(stall_seconds: float | None = None) -> tuple[Receiver, Response]:
    """Make a receiver."""
    response = Response(method="GET", limit_bytes=100, heard=None)
    return Receiver(response, time.monotonic, stall_seconds), response


async def test_it_waits_for_the_end() -> None:
    """And what comes after it is nobody's."""
    waiting, response = receiver()
    waiting.take(HEAD + b"ab", 1.0, None)
    waiting.take(b"cd", 2.0, None)
    waiting.take(b"more", 3.0, None)
    await waiting.wait()
    assert [each[2] for each in response.reads] == [b"ab", b"cd"]


async def test_a_fault_reaches_who_waits() -> None:
    """Nothing is raised where the bytes came in."""
    waiting, _ = receiver()
    waiting.take(b"no http", 1.0, None)
    with pytest.raises(FailedError):
        await waiting.wait()


async def test_a_body_that_stalls_is_given_up() -> None:
    """Only after its first piece: before that, the timeout holds."""
    waiting, _ = receiver(stall_seconds=0.02)
    waiting.take(HEAD, time.monotonic(), None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await waiting.wait()
    waiting, _ = receiver(stall_seconds=0.02)
    waiting.take(HEAD + b"ab", time.monotonic(), None)
    with pytest.raises(FailedError) as refused:
        await waiting.wait()
    assert refused.value.reason is Reason.STALL
