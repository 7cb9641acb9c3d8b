"""The endpoints of the soak: one process, which keeps when each target came."""

from __future__ import annotations

import asyncio
import re
import time
from array import array
from typing import cast

import orjson

from lab.soak.answers import ANSWERS
from toolkit.lifecycle import until_stopped

_REQUEST = re.compile(rb"[A-Z]+ /(?P<number>[^/ ]+)/(?P<name>[^/ ]+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_MOST_BYTES = 1 << 16
_BACKLOG = 4096
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - each target has its own address of 127.0.0.0/8; others are hung up on


class Arrivals:
    """When each target came, by the monotonic clock, which is one for the whole machine."""

    def __init__(self) -> None:
        self.times: dict[int, array[float]] = {}

    def note(self, number: int, at: float) -> None:
        """Keep one."""
        times = self.times.get(number)
        if times is None:
            times = self.times[number] = array("d")
        times.append(at)

    def answer(self) -> bytes:
        """Give all of them as JSON."""
        return orjson.dumps({str(number): times.tolist() for number, times in self.times.items()})


class _Endpoint(asyncio.Protocol):
    """One connection to any of the targets; the last part of the path says what it does."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; nobody but this machine is served."""
        # uvloop's transport is one in all but its class.
        self._transport = cast("asyncio.Transport", transport)
        if not str(transport.get_extra_info("peername")[0]).startswith("127."):
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Answer once the request is there."""
        at = time.monotonic()
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and len(body) >= (int(length[1]) if length else 0):
            self._read = b""
            self._answer(head, at)
        elif len(self._read) > _MOST_BYTES or not self._read[:1].isalpha():
            self._transport.close()  # as a TLS handshake is none

    def _answer(self, head: bytes, at: float) -> None:
        asked = _REQUEST.match(head)
        number, name = (asked["number"], asked["name"].decode()) if asked else (b"", "")
        if number == b"-":
            self._tell(self._arrivals.answer() if name == "arrivals" else b"ready")
            return
        answer = ANSWERS.get(name)
        if answer is None or not number.isdigit():
            self._transport.close()
            return
        self._arrivals.note(int(number), at)
        self._transport.write(answer.data)
        if answer.closes or (_CLOSE.search(head) and not answer.hangs):
            self._transport.close()

    def _tell(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self._transport.write(head.encode() + body)
        self._transport.close()


async def serve(port: int, mute_port: int) -> None:
    """Serve until stopped: the endpoints, and a port that takes connections and says nothing."""
    loop, arrivals = asyncio.get_running_loop(), Arrivals()
    servers = [
        await loop.create_server(lambda: _Endpoint(arrivals), _EVERYWHERE, port, backlog=_BACKLOG),
        await loop.create_server(asyncio.Protocol, _EVERYWHERE, mute_port, backlog=_BACKLOG),
    ]
    try:
        await until_stopped()
    finally:
        for server in servers:
            server.close()
