"""The measuring instrument: one exchange over HTTP, with phase and chunk times.

Everything else knows the contract only; this implementation drives aiohttp's client.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType, SimpleNamespace
from typing import Any, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from exporter.address import ForbiddenAddressError, refuse_forbidden
from exporter.target import Chunk, Exchange, Reason, Times, Tls
from toolkit.arguments import version

_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to send, and the limits that the answer is held to.

    `heard` is given each piece of the body and says whether nothing further matters.
    `private` names the headers, in small letters, that no other origin is sent.
    `stall_seconds` bounds the wait between two pieces; `named` holds the addresses that the
    configuration itself names, and are not refused; `instead` makes an exchange that is not HTTP.
    """

    method: str
    url: str
    timeout_seconds: float
    limit_bytes: int
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    private: frozenset[str] = frozenset({"authorization"})
    body: bytes = b""
    stall_seconds: float | None = None
    tls: Tls | None = None
    follow_redirects: bool = False
    named: frozenset[str] = frozenset()
    heard: Callable[[bytes], bool] | None = None
    instead: Callable[[Request, Callable[[], float]], Awaitable[Exchange]] | None = None


class Transport(Protocol):
    """Sends one request and times what happens."""

    async def exchange(self, request: Request) -> Exchange:
        """Make the exchange; whatever the far end does becomes part of the result.

        Ends within the request's timeout; raises only when cancelled.
        """
        ...


class _FailedError(Exception):
    """Ends an exchange with a reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(kw_only=True, slots=True)
class _Seen:
    """What one exchange has come to so far; the only thing here that changes."""

    named: frozenset[str]
    has_body: bool
    times: dict[str, float]
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: list[Chunk] = field(default_factory=list)
    complete: bool = False
    tls: ssl.SSLObject | None = None

    def begin_hop(self, *, has_body: bool) -> None:
        """Forget the hop before, all but the beginning."""
        self.has_body = has_body
        self.times = {"begin": self.times["begin"]}
        self.status, self.headers, self.chunks, self.complete = None, {}, [], False

    def finished(self, end: float, failure: Reason | None, detail: str) -> Exchange:
        """Freeze what was seen."""
        last = self.chunks[-1].at if self.chunks and self.complete else end
        return Exchange(
            times=Times(end=max(last, self.times["begin"]), **self.times),
            status=self.status,
            headers=MappingProxyType(dict(self.headers)),
            chunks=tuple(self.chunks),
            failure=failure,
            detail=detail,
            complete=self.complete and failure is None,
            certificate_expiry_timestamp_seconds=self._expiry(),
        )

    def _expiry(self) -> float | None:
        try:
            certificate = self.tls.getpeercert() if self.tls else None
        except ValueError:  # the handshake was not finished
            return None
        not_after = (certificate or {}).get("notAfter")
        return float(ssl.cert_time_to_seconds(str(not_after))) if not_after else None


_current: ContextVar[_Seen] = ContextVar("_current")


class _Context(ssl.SSLContext):
    """Tells when a handshake begins: aiohttp reports connection and handshake as one span."""

    clock: Callable[[], float]

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        seen = _current.get()
        seen.times["connect_end"] = seen.times["tls_begin"] = self.clock()
        seen.tls = super().wrap_bio(*args, **options)
        return seen.tls


class _Resolver(AbstractResolver):
    """Resolves with the system's resolver and refuses what no probe may reach."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        for *_, place in found:
            refuse_forbidden(host, str(place[0]), named=_current.get().named)
        return [
            ResolveResult(
                hostname=host,
                host=str(place[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, place in found
        ]

    async def close(self) -> None:
        """Hold nothing, close nothing."""


def _tracing(clock: Callable[[], float]) -> aiohttp.TraceConfig:
    def stamp(*names: str) -> Callable[[Any, SimpleNamespace, Any], Any]:
        async def note(_session: Any, _context: SimpleNamespace, _params: Any) -> None:
            times = _current.get().times
            now = clock()
            times.update(dict.fromkeys(names, now))

        return note

    async def connected(_session: Any, _context: SimpleNamespace, _params: Any) -> None:
        times = _current.get().times
        times["tls_end" if "tls_begin" in times else "connect_end"] = clock()

    async def headed(session: Any, context: SimpleNamespace, params: Any) -> None:
        if not _current.get().has_body:
            await stamp("written")(session, context, params)

    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(stamp("connect_begin"))
    config.on_dns_resolvehost_start.append(stamp("resolve_begin"))
    config.on_dns_resolvehost_end.append(stamp("resolve_end", "connect_begin"))
    config.on_connection_create_end.append(connected)
    config.on_request_headers_sent.append(headed)
    config.on_request_chunk_sent.append(stamp("written"))
    return config


class HttpTransport:
    """The Transport over aiohttp's client: a new connection for each exchange, no retries."""

    def __init__(self, session: aiohttp.ClientSession, clock: Callable[[], float]) -> None:
        self._session = session
        self._clock = clock
        self._context = lru_cache(maxsize=64)(self._make_context)

    async def exchange(self, request: Request) -> Exchange:
        """Make the exchange within the request's timeout."""
        if request.instead is not None:
            return await request.instead(request, self._clock)
        seen = _Seen(
            named=request.named, has_body=bool(request.body), times={"begin": self._clock()}
        )
        token = _current.set(seen)
        failure: Reason | None = None
        detail = ""
        try:
            async with asyncio.timeout(request.timeout_seconds):
                await self._follow(request, seen)
        except _FailedError as error:
            failure, detail = error.reason, error.detail
        except TimeoutError:
            failure, detail = _late(seen, request.timeout_seconds)
        except (aiohttp.ClientError, ForbiddenAddressError, OSError, ValueError) as error:
            failure, detail = _explain(error, seen)
        finally:
            _current.reset(token)
        return seen.finished(self._clock(), failure, detail)

    async def _follow(self, request: Request, seen: _Seen) -> None:
        for _ in range(_MOST_REDIRECTS + 1):
            location = await self._hop(request, seen)
            if location is None or not request.follow_redirects:
                return
            request = _redirected(request, seen.status or 0, location)
            seen.begin_hop(has_body=bool(request.body))
        raise _FailedError(Reason.REDIRECT, f"more than {_MOST_REDIRECTS} redirects")

    async def _hop(self, request: Request, seen: _Seen) -> str | None:
        """Make one request; return where it was redirected to, if anywhere."""
        url = URL(request.url)
        refuse_forbidden(url.host or "", url.host or "", named=request.named)
        secure = url.scheme == "https"
        response = await self._session.request(
            request.method,
            url,
            headers=request.headers,
            data=request.body or None,
            allow_redirects=False,
            ssl=self._context(request.tls, _changed(request.tls)) if secure else True,
            server_hostname=request.tls.server_name if request.tls else None,
        )
        try:
            seen.times["first_byte"] = self._clock()
            seen.status = response.status
            seen.headers = {name.lower(): value for name, value in response.headers.items()}
            await self._read(request, response, seen)
        finally:
            response.close()
        return seen.headers.get("location") if response.status in _REDIRECTS else None

    async def _read(self, request: Request, response: aiohttp.ClientResponse, seen: _Seen) -> None:
        decode = _decoder(seen.headers.get("content-encoding", ""), request.limit_bytes)
        raw_bytes = 0
        while data := await _next(response, request.stall_seconds if seen.chunks else None):
            at = self._clock()
            raw_bytes += len(data)
            decoded = decode(data)
            if raw_bytes > request.limit_bytes or decoded is None:
                raise _FailedError(
                    Reason.TOO_LARGE, f"the answer is over {request.limit_bytes} bytes"
                )
            if decoded:
                seen.chunks.append(Chunk(at=at, data=decoded))
            if request.heard is not None and request.heard(decoded):
                break
        seen.complete = True

    def _make_context(self, tls: Tls | None, _ca_file_changed: int) -> ssl.SSLContext:
        """Make the TLS context of some settings; kept until the CA file changes."""
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.clock = self._clock
        try:
            if tls is not None and tls.ca_file is not None:
                context.load_verify_locations(cafile=tls.ca_file)
            else:
                context.load_default_certs()
        except OSError as error:
            raise _FailedError(
                Reason.INTERNAL, f"tls.ca_file cannot be read ({error.strerror})"
            ) from error
        return context


def _changed(tls: Tls | None) -> int:
    if tls is None or tls.ca_file is None:
        return 0
    try:
        return tls.ca_file.stat().st_mtime_ns
    except OSError:
        return 0


async def _next(response: aiohttp.ClientResponse, stall_seconds: float | None) -> bytes:
    try:
        async with asyncio.timeout(stall_seconds) as waiting:
            return await response.content.readany()
    except TimeoutError:
        if not waiting.expired():
            raise
        raise _FailedError(Reason.STALL, f"nothing came for {stall_seconds:g} s") from None


def _decoder(encoding: str, limit_bytes: int) -> Callable[[bytes], bytes | None]:
    """Return what undoes a content encoding; it gives None for what grows over the limit."""
    if encoding.strip().lower() in {"", "identity"}:
        return lambda data: data
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        raise _FailedError(Reason.PROTOCOL, "a content encoding that was not asked for")
    engine = zlib.decompressobj(zlib.MAX_WBITS | 32)
    left_bytes = limit_bytes

    def decode(data: bytes) -> bytes | None:
        nonlocal left_bytes
        try:
            text = engine.decompress(data, left_bytes + 1)
        except zlib.error:
            raise _FailedError(Reason.PROTOCOL, "the compressed body is damaged") from None
        left_bytes -= len(text)
        return text if left_bytes >= 0 else None

    return decode


def _redirected(request: Request, status: int, location: str) -> Request:
    before = URL(request.url)
    try:
        after = before.join(URL(location))
    except ValueError:
        raise _FailedError(Reason.REDIRECT, "the redirect goes to no address") from None
    if after.scheme not in {"http", "https"} or not after.host:
        raise _FailedError(Reason.REDIRECT, "the redirect goes to another scheme")
    if before.scheme == "https" and after.scheme == "http":
        raise _FailedError(Reason.REDIRECT, "the redirect leaves https")
    headers = dict(request.headers)
    if after.origin() != before.origin():
        headers = {k: v for k, v in headers.items() if k.lower() not in request.private}
    kept = status in {307, 308} or request.method in {"GET", "HEAD"}
    return replace(
        request,
        url=str(after),
        headers=headers,
        method=request.method if kept else "GET",
        body=request.body if kept else b"",
    )


def _late(seen: _Seen, timeout_seconds: float) -> tuple[Reason, str]:
    if "written" in seen.times:
        return Reason.TIMEOUT_TOTAL, f"not finished after {timeout_seconds:g} s"
    return Reason.TIMEOUT_CONNECT, f"not connected after {timeout_seconds:g} s"


# In this order, since some are kinds of others. The texts are ours: the library's may quote the
# far end. None as the reason: it depends on how far the exchange had come.
_EXPLAINED: tuple[tuple[type[Exception], Reason | None, str], ...] = (
    (aiohttp.InvalidURL, Reason.FORBIDDEN, "the address is not written in its usual form"),
    (aiohttp.ClientConnectorDNSError, Reason.DNS, "the name does not resolve"),
    (aiohttp.ClientSSLError, Reason.TLS, "the TLS handshake failed"),
    (ssl.SSLError, Reason.TLS, "the TLS handshake failed"),
    (aiohttp.ClientConnectorError, Reason.CONNECT, "not connected"),
    (aiohttp.ClientPayloadError, Reason.PROTOCOL, "the body ended before its length"),
    (aiohttp.ServerDisconnectedError, Reason.PROTOCOL, "closed before an answer"),
    (aiohttp.ClientResponseError, Reason.PROTOCOL, "the answer is not HTTP"),
    (OSError, None, "the connection was reset"),
)


def _explain(error: Exception, seen: _Seen) -> tuple[Reason, str]:
    """Name what went wrong."""
    if isinstance(error, ForbiddenAddressError):
        return Reason.FORBIDDEN, str(error)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "not valid"
        return Reason.TLS, f"certificate: {why}"
    for kind, reason, detail in _EXPLAINED:
        if isinstance(error, kind):
            lost = Reason.PROTOCOL if "written" in seen.times else Reason.CONNECT
            return reason or lost, detail
    return Reason.INTERNAL, f"the request could not be made ({type(error).__name__})"


@asynccontextmanager
async def open_transport(
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[HttpTransport]:
    """Open the transport that a process shares; closing it closes its connections."""
    connector = aiohttp.TCPConnector(
        limit=0, force_close=True, use_dns_cache=False, resolver=_Resolver()
    )
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"vigie-exporter/{version()}", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None),
        trace_configs=[_tracing(clock)],
        trust_env=False,
    ) as session:
        yield HttpTransport(session, clock)
