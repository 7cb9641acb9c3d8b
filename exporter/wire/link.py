"""One connection: a raw socket that the loop watches, TLS in memory on top where it is wanted.

The socket stays ours, so that recvmsg can tell when the kernel received what a read brought.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Hashable
from contextlib import suppress

from exporter.peer import Peer, peer_of
from exporter.wire.kernel import ANCILLARY_BYTES, ask_for_stamps, stamp_of
from exporter.wire.place import Endpoint
from exporter.wire.tls import handshake_failure
from exporter.wire.watch import READABLE, WRITABLE, Watcher

_READ_BYTES = 1 << 16

Take = Callable[[bytes, float, float | None], object]
"""Is given what a read brought (empty at the end), when, and when the kernel received it.

What it returns is true where nothing further is to be read.
"""


class Link:
    """A connection; every method may raise OSError for what the far end does."""

    # What holds until something is done; a link without a kept connection lives for one exchange.
    _socket: socket.socket | None = None
    _descriptor = -1
    _events = 0
    _waiter: asyncio.Future[None] | None = None
    _take: Take | None = None
    _stamped = False
    _last = False
    _incoming: ssl.MemoryBIO | None = None
    _outgoing: ssl.MemoryBIO | None = None
    _peer: Peer | None = None
    tls: ssl.SSLObject | None = None
    closed = False
    idle_since = 0.0
    address = ""
    key: Hashable = None

    def __init__(self, watcher: Watcher, clock: Callable[[], float]) -> None:
        self._watcher = watcher
        self._clock = clock

    def begin(self, endpoint: Endpoint) -> bool:
        """Begin to connect; return whether it is done, as it mostly is on the same machine."""
        self.address = str(endpoint.address[0])
        sock = self._socket = socket.socket(
            endpoint.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        self._descriptor = sock.fileno()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = sock.connect_ex(endpoint.address)
        if error not in {0, errno.EINPROGRESS}:
            raise OSError(error, os.strerror(error))
        return not error or self._is_connected(sock)

    async def connected(self) -> None:
        """Wait until it is connected."""
        sock = self._socket
        assert sock is not None  # noqa: S101 - begun
        while not self._is_connected(sock):
            await self._wait(WRITABLE)
            failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                raise OSError(failed, os.strerror(failed))

    @staticmethod
    def _is_connected(sock: socket.socket) -> bool:
        try:
            sock.getpeername()
        except OSError:
            return False
        return True

    async def handshake(self, context: ssl.SSLContext, server_name: str) -> None:
        """Make the TLS handshake; raises FailedError (tls)."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name
        )
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill(self._incoming)
            except ssl.SSLError as error:
                with suppress(OSError):
                    await self._flush()  # the alert
                raise handshake_failure(error) from None
            else:
                await self._flush()
                return

    def peer(self) -> Peer:
        """Describe the far end; read once, for a kept connection is asked each time."""
        if self._peer is None:
            self._peer = peer_of(self.address, self.tls)
        return self._peer

    async def _fill(self, incoming: ssl.MemoryBIO) -> None:
        assert self._socket is not None  # noqa: S101 - connected before any handshake
        while True:
            try:
                data = self._socket.recv(_READ_BYTES)
            except (BlockingIOError, InterruptedError):
                await self._wait(READABLE)
            else:
                incoming.write(data) if data else incoming.write_eof()
                return

    async def _flush(self) -> None:
        if self._outgoing is not None and (data := self._outgoing.read()):
            await self._send(data)

    def stamp(self) -> None:
        """Have the kernel's receive times from now on, where it gives any."""
        assert self._socket is not None  # noqa: S101 - connected
        self._stamped = self._stamped or ask_for_stamps(self._socket)

    def listen(self, take: Take, *, last: bool = False) -> None:
        """Give *take* all that is read from now on; what it raises, it has to keep to itself.

        Where it is the *last*, the connection is closed as soon as it has all.
        """
        self._take, self._last = take, last
        self._watch(READABLE)

    def mute(self) -> None:
        """Listen no longer; what comes is left in the socket."""
        self._take = None
        self._watch(0)

    def offer(self, data: bytes) -> bytes:
        """Hand the kernel what it takes at once; return the rest, which is all of it under TLS."""
        if self.tls is not None or self._socket is None:
            return data
        try:
            sent = self._socket.send(data, socket.MSG_NOSIGNAL)
        except (BlockingIOError, InterruptedError):
            return data
        return data[sent:] if sent < len(data) else b""

    async def send(self, data: bytes) -> None:
        """Hand all of it to the kernel, reading meanwhile."""
        if self.tls is not None:
            self.tls.write(data)
            await self._flush()
        else:
            await self._send(data)

    async def _send(self, data: bytes) -> None:
        assert self._socket is not None  # noqa: S101 - connected
        while data:
            try:
                sent = self._socket.send(data, socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                await self._wait(WRITABLE | (READABLE if self._take else 0))
                continue
            data = data[sent:] if sent < len(data) else b""

    async def _wait(self, events: int) -> None:
        waiter = self._waiter = self._watcher.loop.create_future()
        before = self._events
        self._watch(events)
        try:
            await waiter
        finally:
            self._waiter = None
            if not self.closed:
                self._watch(before)

    def _watch(self, events: int) -> None:
        if events != self._events:
            self._events = events
            self._watcher.watch(self._descriptor, events, self._ready)

    def _ready(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._take is not None:
            self._read(self._take)

    def _read(self, take: Take) -> None:
        stamp = None
        assert self._socket is not None  # noqa: S101 - watched, so open
        try:
            if self._stamped:
                data, ancillary, _, _ = self._socket.recvmsg(_READ_BYTES, ANCILLARY_BYTES)
                stamp = stamp_of(ancillary)
            else:
                data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.broken()
            take(b"", self._clock(), None)
            return
        at = self._clock()
        if not data:
            self._watch(0)
        if self.tls is not None:
            self._decrypt(data, take, at, stamp)
        elif take(data, at, stamp):
            self._heard_all()

    def _heard_all(self) -> None:
        self._take = None
        if self._last and self._waiter is None:
            self.close()

    def broken(self) -> None:
        """Note that the connection was reset."""
        self.closed = True
        self._watch(0)

    def _decrypt(self, data: bytes, take: Take, at: float, stamp: float | None) -> None:
        assert self.tls is not None and self._incoming is not None  # noqa: S101, PT018 - TLS
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        plain = []
        ended = not data
        try:
            while piece := self.tls.read(_READ_BYTES):
                plain.append(piece)
            ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            ended = True
        if plain and take(b"".join(plain), at, stamp):
            self._heard_all()
        elif ended:
            take(b"", at, None)

    def rest(self, now: float, gone: Callable[[Link], None]) -> None:
        """Stay open between two exchanges; whatever comes meanwhile makes it unusable."""
        self.idle_since, self._gone = now, gone
        self._take = self._spoil

    def _spoil(self, _data: bytes, _at: float, _stamp: float | None) -> None:
        self._gone(self)

    def close(self) -> None:
        """Close the socket; nothing is called afterwards."""
        self.closed = True
        self._take = None
        if self._socket is not None:
            self._watcher.forget(self._descriptor)
            self._socket.close()
            self._socket = None
