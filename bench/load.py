"""A load generator: kept connections, each sending its next post when the last was answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

_HEAD = "POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n"
_GOOD = b"HTTP/1.1 200 "
_LONGEST_WAIT_SECONDS = 30.0


@dataclass(kw_only=True, slots=True)
class Tally:
    """What came of a run: seconds from post to answer, those not answered 200, and its length."""

    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    seconds: float = 0.0

    def quantile_seconds(self, share: float) -> float:
        """Give a quantile of the latencies."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Connection(asyncio.Protocol):
    """One connection; `ended` is set when there is nothing left to send."""

    def __init__(self, requests: Iterator[bytes], tally: Tally, until: float) -> None:
        self._requests = requests
        self._tally = tally
        self._until = until
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self._read = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is one in all but its class.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._read += data
        # Answers of the webhook are short and come whole, but for what the kernel cuts.
        head, separator, body = self._read.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return
        self._read = b""
        self._tally.latencies.append(time.perf_counter() - self._sent_at)
        self._tally.refused += not head.startswith(_GOOD)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self._tally.refused += error is not None
            self.ended.set_result(None)

    def _send(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None or time.perf_counter() >= self._until:
            self._transport.close()
            if not self.ended.done():
                self.ended.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def drive(port: int, bodies: Sequence[bytes], *, connections: int, seconds: float) -> Tally:
    """Post *bodies* over *connections* until they, or the time, are over."""
    requests = iter([_HEAD.format(len(body)).encode() + body for body in bodies])
    tally, began = Tally(), time.perf_counter()
    loop, until = asyncio.get_running_loop(), began + seconds
    opened = [
        await loop.create_connection(lambda: _Connection(requests, tally, until), "127.0.0.1", port)
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + _LONGEST_WAIT_SECONDS):
        await asyncio.gather(*(protocol.ended for _, protocol in opened))
    tally.seconds = time.perf_counter() - began
    return tally
