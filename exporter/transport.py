"""The measuring instrument: one exchange over HTTP, with phase and chunk times.

Everything else knows the contract only; the parts are in `wire`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, Protocol

from exporter.access import Tls
from exporter.address import ForbiddenAddressError, refuse_forbidden
from exporter.swift import swift
from exporter.target import Exchange, Reason
from exporter.wire import kernel
from exporter.wire.deadline import Deadline
from exporter.wire.dial import dial
from exporter.wire.failure import FailedError
from exporter.wire.link import Link
from exporter.wire.message import message
from exporter.wire.place import Endpoint, Place, of_version, place_of, resolve
from exporter.wire.pool import IDLE_SECONDS, Pool
from exporter.wire.receive import Receiver
from exporter.wire.redirect import (
    MOST_REDIRECTS,
    REDIRECTS,
    destination,
    keeps_method,
    without,
)
from exporter.wire.response import HEAD_LIMIT_BYTES, Response
from exporter.wire.seen import Seen
from exporter.wire.tls import context_of
from exporter.wire.watch import Watcher


@swift
@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to send, and the limits that the answer is held to.

    `heard` is given each piece of the body and says whether nothing further matters.
    `private` names the headers, in small letters, that no other origin is sent, as none is asked
    for the server name of `tls`. `ip_version` leaves only addresses of that kind.
    `stall_seconds` bounds the wait between two pieces (only those count that `spoke`, asked after
    `heard`, says yes to), `connect_seconds` the time until connected, TLS included; `named` holds
    the addresses that the configuration itself names, and that are therefore not refused. `keep`
    uses a connection again and leaves it open. `proxy` is an http address, `proxy_authorization`
    the header's value that only it is sent. `instead` makes the exchange where it is not HTTP, and
    is held to the same contract; it is given the clock.
    """

    method: str
    url: str
    timeout_seconds: float
    limit_bytes: int
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    private: frozenset[str] = frozenset({"authorization"})
    body: bytes = b""
    stall_seconds: float | None = None
    connect_seconds: float | None = None
    tls: Tls | None = None
    follow_redirects: bool = False
    named: frozenset[str] = frozenset()
    ip_version: Literal[4, 6] | None = None
    heard: Callable[[bytes], bool] | None = None
    spoke: Callable[[], bool] | None = None
    keep: bool = False
    proxy: str | None = None
    proxy_authorization: str | None = field(default=None, repr=False)
    instead: Callable[[Request, Callable[[], float]], Awaitable[Exchange]] | None = None


class Transport(Protocol):
    """Sends one request and times what happens."""

    async def exchange(self, request: Request) -> Exchange:
        """Make the exchange; whatever the far end does becomes part of the result.

        Ends within the request's timeout; raises only when cancelled.
        """
        ...


class HttpTransport:
    """The Transport over sockets of our own; it repeats nothing.

    A kept connection that the far end has closed is replaced by a new one, but only as long as
    nothing was written to it; one that is lost after that is a failure.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._watcher = Watcher(self._loop)
        self._pool = Pool(clock)
        self._stamping = kernel.keep_stamping()
        self._under_way = 0
        self._sweeping = self._loop.call_later(IDLE_SECONDS / 4, self._sweep)

    def _sweep(self) -> None:
        self._pool.sweep()
        self._sweeping = self._loop.call_later(IDLE_SECONDS / 4, self._sweep)

    def close(self) -> None:
        """Close the kept connections; exchanges under way are the caller's to cancel first."""
        self._sweeping.cancel()
        self._pool.close()
        self._watcher.close()
        self._stamping.close()

    async def exchange(self, request: Request) -> Exchange:
        """Make the exchange within the request's timeout."""
        if request.instead is not None:
            return await request.instead(request, self._clock)
        seen = Seen(self._clock())
        failure: Reason | None = None
        detail = ""
        self._under_way += 1
        try:
            with Deadline(request.timeout_seconds):
                location = await self._hop(request, seen)
                if location is not None and request.follow_redirects:
                    await self._follow(request, location, seen)
        except FailedError as error:
            failure, detail = error.reason, error.detail
        except TimeoutError:
            failure, detail = _late(seen, request.timeout_seconds)
        except (ForbiddenAddressError, OSError, ValueError) as error:
            failure, detail = _explain(error, seen)
        finally:
            self._under_way -= 1
        if self._under_way:
            self._watcher.look_between()
        return seen.finished(self._clock, failure, detail)

    async def _follow(self, request: Request, location: str, seen: Seen) -> None:
        """Follow where a first answer redirected to, and so on."""
        for _ in range(MOST_REDIRECTS):
            status = seen.response.status if seen.response else None
            request = _redirected(request, status or 0, location)
            seen.begin_hop(self._clock())
            further = await self._hop(request, seen)
            if further is None:
                return
            location = further
        raise FailedError(Reason.REDIRECT, f"more than {MOST_REDIRECTS} redirects")

    async def _hop(self, request: Request, seen: Seen) -> str | None:
        """Make one request; return where it was redirected to, if anywhere."""
        place = place_of(request.url)
        if place.forbidden:
            refuse_forbidden(place.host, place.host, named=request.named)
        key, link = None, None
        if request.keep:
            key = _key(request, place)
            self._watcher.look()
            link = self._pool.take(key)
        if link is not None:
            seen.reused = True
        elif request.connect_seconds is None:
            link = await self._connect(request, place, seen)
        else:
            link = await self._connect_within(request.connect_seconds, request, place, seen)
        reusable = False
        try:
            seen.peer = link.peer()
            receiver = self._listen(request, link, seen)
            try:
                if left := link.offer(_text(request, place)):
                    await link.send(left)
                seen.written = self._clock()
                if self._under_way > 1:
                    self._watcher.look_between()
                await receiver.finished
            finally:
                receiver.close()
            response = receiver.response
            reusable = response.reusable and key is not None
        finally:
            if reusable:
                self._pool.give(key, link)
            else:
                link.close()
        return response.headers.get("location") if response.status in REDIRECTS else None

    def _listen(self, request: Request, link: Link, seen: Seen) -> Receiver:
        """Have what the link reads become the response."""
        seen.response = response = Response(
            method=request.method, limit_bytes=request.limit_bytes, heard=request.heard
        )
        if request.heard is not None:
            link.stamp()
            seen.offset = seen.offset or kernel.sample(self._clock)
        receiver = Receiver(
            response, self._clock, request.stall_seconds, request.spoke, loop=self._loop
        )
        link.listen(receiver.take, last=not request.keep)
        return receiver

    async def _connect_within(
        self, seconds: float, request: Request, place: Place, seen: Seen
    ) -> Link:
        try:
            with Deadline(seconds) as waiting:
                return await self._connect(request, place, seen)
        except TimeoutError:
            if not waiting.expired:
                raise
            raise FailedError(
                Reason.TIMEOUT_CONNECT, f"not connected after {seconds:g} s"
            ) from None

    async def _connect(self, request: Request, place: Place, seen: Seen) -> Link:
        clock = self._clock
        # Before anything is connected, so that unreadable files are no fault of the endpoint.
        context = context_of(request.tls) if place.secure else None
        near = place if request.proxy is None else place_of(request.proxy)
        endpoints = await self._endpoints(request, near, seen)
        seen.connect_begin = clock()
        link = await dial(self._watcher, clock, endpoints)
        seen.connect_end = clock()
        try:
            if context is not None:
                if request.proxy is not None:
                    await self._tunnel(request, place, link)
                    seen.connect_end = clock()
                await self._secure(request, place, link, context, seen)
        except BaseException:
            link.close()
            raise
        return link

    async def _endpoints(self, request: Request, near: Place, seen: Seen) -> tuple[Endpoint, ...]:
        if near.endpoint is None:
            seen.resolve_begin = self._clock()
            found = await resolve(near, request.named)
            seen.resolve_end = self._clock()
        else:
            found = (near.endpoint,)
        if request.ip_version is not None:
            found = of_version(found, request.ip_version)
        seen.address = str(found[0].address[0])
        return found

    async def _secure(
        self, request: Request, place: Place, link: Link, context: ssl.SSLContext, seen: Seen
    ) -> None:
        seen.tls_begin = self._clock()
        name = (request.tls.server_name if request.tls else None) or place.host
        try:
            await link.handshake(context, name)
        except OSError:
            raise FailedError(Reason.TLS, "the TLS handshake failed") from None
        seen.tls_end = self._clock()

    async def _tunnel(self, request: Request, place: Place, link: Link) -> None:
        """Have the proxy connect us (RFC 9110, section 9.3.6)."""
        authority = place.authority
        if ":" not in authority.rpartition("]")[2]:
            authority = f"{authority}:{place.port}"
        response = Response(method="HEAD", limit_bytes=HEAD_LIMIT_BYTES, heard=None)
        receiver = Receiver(response, self._clock, None)
        link.listen(receiver.take)
        text = message("CONNECT", authority, authority, _for_proxy(request), b"", keep=True)
        try:
            await link.send(text)
            await receiver.wait()
        finally:
            receiver.close()
            link.mute()
        if response.status != 200:
            raise FailedError(
                Reason.CONNECT, f"the proxy refused the connection (status {response.status})"
            )


def _text(request: Request, place: Place) -> bytes:
    """Write the request as the way there wants it."""
    target, headers = place.path, request.headers
    if request.proxy is not None and not place.secure:
        target, headers = place.url, {**headers, **_for_proxy(request)}
    return message(
        request.method, target, place.authority, headers, request.body, keep=request.keep
    )


def _key(request: Request, place: Place) -> Hashable:
    """Return what a kept connection must have in common with the request."""
    context = context_of(request.tls) if place.secure else None
    name = request.tls.server_name if request.tls else None
    proxy = (request.proxy, request.proxy_authorization)
    return (place.secure, place.host, place.port, context, name, proxy, request.named)


def _for_proxy(request: Request) -> dict[str, str]:
    if request.proxy_authorization is None:
        return {}
    return {"Proxy-Authorization": request.proxy_authorization}


def _redirected(request: Request, status: int, location: str) -> Request:
    url, other_origin = destination(request.url, location)
    headers, tls = request.headers, request.tls
    if other_origin:
        headers = without(headers, request.private)
        tls = tls and tls.model_copy(update={"server_name": None})
    kept = keeps_method(status, request.method)
    return replace(
        request,
        url=url,
        headers=headers,
        tls=tls,
        method=request.method if kept else "GET",
        body=request.body if kept else b"",
    )


def _late(seen: Seen, timeout_seconds: float) -> tuple[Reason, str]:
    if seen.written is not None:
        return Reason.TIMEOUT_TOTAL, f"not finished after {timeout_seconds:g} s"
    return Reason.TIMEOUT_CONNECT, f"not connected after {timeout_seconds:g} s"


def _explain(error: Exception, seen: Seen) -> tuple[Reason, str]:
    """Name what went wrong; the texts are ours, since a library's may quote the far end."""
    if isinstance(error, ForbiddenAddressError):
        return Reason.FORBIDDEN, str(error)
    if isinstance(error, OSError):
        lost = Reason.PROTOCOL if seen.written is not None else Reason.CONNECT
        return lost, "the connection was reset"
    return Reason.INTERNAL, f"the request could not be made ({type(error).__name__})"


@asynccontextmanager
async def open_transport(
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[HttpTransport]:
    """Open the transport that a process shares; closing it closes its connections."""
    transport = HttpTransport(clock)
    try:
        yield transport
    finally:
        transport.close()
