"""One unary call over gRPC, told as the exchange over HTTP that it is; grpcio's only place.

grpcio has no hooks for the kernel's times nor for the server's certificate, so that the phases are
what a caller can see: `connect` with TLS in it, and the certificate's end stays unknown.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from exporter.access import Tls
from exporter.address import ForbiddenAddressError, refuse_forbidden
from exporter.target import Chunk, Exchange, Reason, Times
from exporter.transport import Request
from exporter.wire.failure import FailedError
from exporter.wire.place import Endpoint, Place, place_of, resolve

MISSING = "grpcio is not installed; install vigie[grpc]"

# The statuses that google/rpc/code.proto gives for a gateway to HTTP; 499 is nginx's.
_STATUSES: Final[Mapping[str, int]] = {
    "OK": 200,
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409, "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}  # fmt: skip
# What gRPC's core says itself where no status came; any other text is the server's.
_LOST = (
    "Socket closed",
    "Connection reset",
    "Connection closed",
    "GOAWAY",
    "Stream removed",
    "recvmsg:",
    "sendmsg:",
    "failed to connect to all addresses",
)
_TOO_LARGE = "Received message larger than max"
_WRONG_HOST = "call host does not match SSL server name"
_NOT_HTTP2 = ("Failed parsing HTTP/2", "Trying to connect an http1.x server")
_TLS = {
    "CERTIFICATE_VERIFY_FAILED": "certificate: not valid",
    "Hostname Verification Check failed": "certificate: not for this name",
    "handshake failed": "the TLS handshake failed",
}
_MOST_DETAIL = 500
_OWN_HEADERS = frozenset({"te", "content-type", "user-agent", "connection", "host"})


def is_installed() -> bool:
    """Say whether grpcio is there, without importing it."""
    return importlib.util.find_spec("grpc") is not None


@dataclass(kw_only=True, slots=True)
class _Call:
    """One call as far as it has come; the only thing here that changes."""

    request: Request
    clock: Callable[[], float]
    times: dict[str, float] = field(default_factory=dict)
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    chunks: tuple[Chunk, ...] = ()

    async def make(self) -> Exchange:
        """Make the call within the request's timeout; raises only if cancelled."""
        self.times["begin"] = self.clock()
        failure: Reason | None = None
        detail = ""
        try:
            async with asyncio.timeout(self.request.timeout_seconds):
                detail = await self._call()
        except FailedError as error:
            failure, detail = error.reason, error.detail
        except ForbiddenAddressError as error:
            failure, detail = Reason.FORBIDDEN, str(error)
        except TimeoutError:
            failure, detail = self._late()
        except (OSError, ValueError, TypeError) as error:
            failure = Reason.INTERNAL
            detail = f"the request could not be made ({type(error).__name__})"
        return self._finished(failure, detail)

    async def _call(self) -> str:
        """Return what is to be told of a status that is not OK."""
        place = place_of(self.request.url)
        if place.endpoint is not None:
            refuse_forbidden(place.host, place.host, named=self.request.named)
            endpoints: Sequence[Endpoint] = (place.endpoint,)
        else:
            self.times["resolve_begin"] = self.clock()
            endpoints = await resolve(place, self.request.named)
            self.times["resolve_end"] = self.clock()
        channel = _channel(self.request, place, endpoints)
        try:
            await self._connect(channel)
            return await self._ask(channel, place.path)
        finally:
            # Closing takes a moment of its own; cancelled meanwhile, the channel goes all the same.
            await asyncio.shield(channel.close())

    async def _connect(self, channel: Any) -> None:
        """Wait until connected, or until the first attempt has failed; the call then says how."""
        grpc = _grpc()
        settled = (
            grpc.ChannelConnectivity.READY,
            grpc.ChannelConnectivity.TRANSIENT_FAILURE,
        )
        self.times["connect_begin"] = self.clock()
        state = channel.get_state(try_to_connect=True)
        while state not in settled:
            await channel.wait_for_state_change(state)
            state = channel.get_state(try_to_connect=True)
        if state is grpc.ChannelConnectivity.READY:
            self.times["connect_end"] = self.times["written"] = self.clock()

    async def _ask(self, channel: Any, path: str) -> str:
        grpc = _grpc()
        call = channel.unary_unary(path)(
            self.request.body,
            metadata=_metadata(self.request.headers),
            timeout=self.request.timeout_seconds,
        )
        try:
            self._hear(await call.initial_metadata())
            answer = await call
        except grpc.RpcError:
            code, said = (await call.code()).name, (await call.details()) or ""
            self._refuse_failure(code, said)
        else:
            code, said = "OK", ""
            self.chunks = (Chunk(at=self.clock(), data=answer),)
        self.times.setdefault("first_byte", self.clock())
        self._hear(await call.trailing_metadata())
        self.status = _STATUSES.get(code, 500)
        return "" if code == "OK" else f"gRPC status {code}: {said[:_MOST_DETAIL]}"

    def _hear(self, metadata: Any) -> None:
        """Keep metadata as headers; what is binary is no text."""
        for key, value in metadata or ():
            if isinstance(value, str):
                self.times.setdefault("first_byte", self.clock())
                self.headers[key.lower()] = value

    def _refuse_failure(self, code: str, said: str) -> None:
        """Raise FailedError for a status that gRPC itself made, in the place of an answer."""
        if "connect_end" not in self.times:
            raise _unconnected(said)
        if code == "DEADLINE_EXCEEDED" and said.lower() == "deadline exceeded":
            raise TimeoutError
        if code == "RESOURCE_EXHAUSTED" and _TOO_LARGE in said:
            text = f"the answer is over {self.request.limit_bytes} bytes"
            raise FailedError(Reason.TOO_LARGE, text)
        if said == _WRONG_HOST:
            raise FailedError(Reason.TLS, "certificate: not for this name")
        if code in {"UNAVAILABLE", "INTERNAL"} and said.startswith(_LOST):
            raise FailedError(Reason.PROTOCOL, "the connection was reset")

    def _late(self) -> tuple[Reason, str]:
        seconds = self.request.timeout_seconds
        if "written" in self.times:
            return Reason.TIMEOUT_TOTAL, f"not finished after {seconds:g} s"
        return Reason.TIMEOUT_CONNECT, f"not connected after {seconds:g} s"

    def _finished(self, failure: Reason | None, detail: str) -> Exchange:
        return Exchange(
            times=Times(end=self.clock(), **self.times),
            status=self.status if failure is None else None,
            headers=MappingProxyType(self.headers),
            chunks=self.chunks,
            failure=failure,
            detail=detail,
            complete=failure is None,
            http_version="2" if "connect_end" in self.times else "",
        )


async def unary(request: Request, clock: Callable[[], float]) -> Exchange:
    """Send the request's body as one message to the method that the url's path names.

    The status is gRPC's as HTTP has it, with `detail` naming it where it is not OK; the body is the
    answer's message, the headers the metadata. Raises only when cancelled.
    """
    return await _Call(request=request, clock=clock).make()


@lru_cache(maxsize=1)
def _grpc() -> Any:
    return importlib.import_module("grpc")


def _channel(request: Request, place: Place, endpoints: Sequence[Endpoint]) -> Any:
    """Open a channel of its own to the addresses that were looked at, through no proxy."""
    name = (request.tls.server_name if request.tls else None) or place.host
    shown = f"[{name}]" if ":" in name else name
    options = [
        ("grpc.default_authority", f"{shown}:{place.port}"),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
        ("grpc.max_receive_message_length", request.limit_bytes),
        ("grpc.primary_user_agent", "vigie-exporter"),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    aio = importlib.import_module("grpc.aio")
    target = _target(endpoints)
    if not place.secure:
        return aio.insecure_channel(target, options=options)
    options.append(("grpc.ssl_target_name_override", name))
    return aio.secure_channel(target, _credentials(request.tls), options=options)


def _target(endpoints: Sequence[Endpoint]) -> str:
    """Name the addresses of the first one's family, since a target holds but one family."""
    family = endpoints[0].family
    found = [each.address for each in endpoints if each.family == family]
    if ":" in found[0][0]:
        return "ipv6:" + ",".join(f"[{host}]:{port}" for host, port, *_ in found)
    return "ipv4:" + ",".join(f"{host}:{port}" for host, port, *_ in found)


def _credentials(tls: Tls | None) -> Any:
    """Read the credentials anew; without a CA of its own a target has the system's, not grpcio's.

    Raises FailedError (internal) when a file cannot be read.
    """
    trusted = tls.ca_file if tls else None
    shown, key = (tls.client_cert_file, tls.client_key_file) if tls else (None, None)
    try:
        roots = _system_roots() if trusted is None else trusted.read_bytes()
        chain = None if shown is None else shown.read_bytes()
        private = chain if key is None else key.read_bytes()
    except OSError as error:
        raise FailedError(
            Reason.INTERNAL, f"a file of `tls` cannot be read ({error.strerror})"
        ) from error
    return _grpc().ssl_channel_credentials(roots, private, chain)


@lru_cache(maxsize=1)
def _system_roots() -> bytes | None:
    """Return the system's trusted certificates as PEM; None (grpcio's own) where there are none."""
    context = ssl.create_default_context()
    found = context.get_ca_certs(binary_form=True)
    return "".join(ssl.DER_cert_to_PEM_cert(each) for each in found).encode() or None


def _metadata(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    lowered = ((name.lower(), value) for name, value in headers.items())
    return tuple((name, value) for name, value in lowered if name not in _OWN_HEADERS)


def _unconnected(said: str) -> FailedError:
    """Name why no connection came about, by what gRPC's core says of it."""
    for sign, detail in _TLS.items():
        if sign in said:
            return FailedError(Reason.TLS, detail)
    if any(sign in said for sign in _NOT_HTTP2):
        return FailedError(Reason.PROTOCOL, "the server does not speak HTTP/2")
    if "Socket closed" in said:
        return FailedError(Reason.PROTOCOL, "closed before HTTP/2 began")
    return FailedError(Reason.CONNECT, "not connected")
