"""The web side both programs share: health, readiness, reload, TLS, users, headers, deadlines."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp.web
import structlog
from aiohttp.typedefs import Middleware

from toolkit import tls
from toolkit.credentials import BasicUsers, Handler, bearer_guard, has_own_guard, unauthorized
from toolkit.problem import ConfigError, Problem
from toolkit.web_config import WebConfig, load_web_config

__all__ = [
    "Handler",
    "WebConfig",
    "application",
    "bearer_guard",
    "load_web_config",
    "serve",
    "without_deadline",
]

log = structlog.get_logger(__name__)

_HEALTH = frozenset({"/-/healthy", "/-/ready"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_UNHURRIED = "_without_deadline"
_STOP_SECONDS = 1.0  # aiohttp waits this long before it cancels handlers, and again after
_KEEPALIVE_SECONDS = 75.0
_BACKLOG = 512
_LARGEST_PORT = 65_535
_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def application(
    *,
    ready: Callable[[], bool],
    reload: Callable[[], Awaitable[None]] | None,
    web: WebConfig,
    request_deadline_seconds: float = 60,
    largest_body_bytes: int = 1024 * 1024,
) -> aiohttp.web.Application:
    """Make an application with health, readiness and reload, and with users and headers checked.

    A handler over the deadline is cancelled and answered 503, a body over the size 413. *reload*
    raises ConfigError to refuse (500 with its text); None means that nothing can be reloaded.
    """
    made = aiohttp.web.Application(
        middlewares=[_hurry(request_deadline_seconds), _admit(web)],
        client_max_size=largest_body_bytes,
    )
    made.on_response_prepare.append(_headers(web))
    made.router.add_get("/-/healthy", _healthy)
    made.router.add_get("/-/ready", _readiness(ready))
    made.router.add_post("/-/reload", _reloading(reload))
    return made


def without_deadline(handler: Handler) -> Handler:
    """Let *handler* stream for as long as it likes; it minds its own deadlines."""
    setattr(handler, _UNHURRIED, True)
    return handler


async def _healthy(_request: aiohttp.web.Request) -> aiohttp.web.Response:
    return aiohttp.web.Response(text="healthy\n")


def _readiness(ready: Callable[[], bool]) -> Handler:
    async def answer(_request: aiohttp.web.Request) -> aiohttp.web.Response:
        if ready():
            return aiohttp.web.Response(text="ready\n")
        return aiohttp.web.Response(status=503, text="not ready\n")

    return answer


def _reloading(reload: Callable[[], Awaitable[None]] | None) -> Handler:
    one_at_a_time = asyncio.Lock()

    async def answer(_request: aiohttp.web.Request) -> aiohttp.web.Response:
        if reload is None:
            return aiohttp.web.Response(status=403, text="nothing can be reloaded\n")
        try:
            async with one_at_a_time:
                await reload()
        except ConfigError as error:
            return aiohttp.web.Response(status=500, text=f"{error}\n")
        return aiohttp.web.Response(text="reloaded\n")

    return answer


def _headers(
    config: WebConfig,
) -> Callable[[aiohttp.web.Request, aiohttp.web.StreamResponse], Awaitable[None]]:
    async def put(_request: aiohttp.web.Request, response: aiohttp.web.StreamResponse) -> None:
        for name, value in config.settings.http_server_config.headers.items():
            response.headers[name] = value
        for default_name, default in _HEADERS.items():
            response.headers.setdefault(default_name, default)
        response.headers["Server"] = "vigie"  # aiohttp has put its version there

    return put


def _admit(config: WebConfig) -> Middleware:
    users_seen = BasicUsers()

    @aiohttp.web.middleware
    async def admit(request: aiohttp.web.Request, handler: Handler) -> aiohttp.web.StreamResponse:
        if not _is_allowed_client(request, config):
            return aiohttp.web.Response(status=403, text="client certificate not allowed\n")
        if request.path in _HEALTH:
            return await handler(request)
        if _comes_from_another_site(request):
            return aiohttp.web.Response(status=403, text="asked from another site\n")
        users = config.settings.basic_auth_users
        if users and not has_own_guard(request.match_info.handler):
            header = request.headers.get("Authorization")
            if not await users_seen.are_right(header, users):
                return unauthorized("Basic")
        return await handler(request)

    return admit


def _is_allowed_client(request: aiohttp.web.Request, config: WebConfig) -> bool:
    settings = config.settings.tls_server_config
    if settings is None or not settings.client_allowed_sans:
        return True
    shown = request.get_extra_info("peercert") or {}
    names = {value for _, value in shown.get("subjectAltName", ())}
    return bool(names & set(settings.client_allowed_sans))


def _comes_from_another_site(request: aiohttp.web.Request) -> bool:
    """Tell a form of a foreign page from our own; browsers set the header, programs do not."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    return request.method not in _SAFE_METHODS and site not in {"none", "same-origin"}


def _hurry(deadline_seconds: float) -> Middleware:
    @aiohttp.web.middleware
    async def hurry(request: aiohttp.web.Request, handler: Handler) -> aiohttp.web.StreamResponse:
        if getattr(request.match_info.handler, _UNHURRIED, False):
            return await handler(request)
        try:
            async with asyncio.timeout(deadline_seconds):
                return await handler(request)
        except TimeoutError:
            log.warning("request over its deadline", method=request.method, path=request.path)
            return aiohttp.web.Response(status=503, text="took too long\n")

    return hurry


@asynccontextmanager
async def serve(
    app: aiohttp.web.Application, addresses: Sequence[str], web: WebConfig
) -> AsyncIterator[tuple[str, ...]]:
    """Serve *app* on *addresses* while the context is open; yield the addresses bound.

    `:9090` is every interface, port 0 a free port. Raises ConfigError when one cannot be bound.
    """
    runner = aiohttp.web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        shutdown_timeout=_STOP_SECONDS,
    )
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets.append(_bound(address))  # noqa: PERF401 - what is open is closed when a later one fails
        await runner.setup()
        context = tls.reloading(lambda: web.settings.tls_server_config)
        for each in sockets:
            await aiohttp.web.SockSite(runner, each, ssl_context=context, backlog=_BACKLOG).start()
        yield tuple(_shown(each) for each in sockets)
    finally:
        await runner.cleanup()
        for each in sockets:
            each.close()


def _bound(address: str) -> socket.socket:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or not port.isascii() or int(port) > _LARGEST_PORT:
        raise _not_bound(address, "not an address", "write it like :9090 or 127.0.0.1:9090")
    try:
        return _open(host.removeprefix("[").removesuffix("]"), int(port))
    except OSError as error:
        problem = f"cannot be bound ({error.strerror or error})"
        raise _not_bound(address, problem, "choose another address or port") from None


def _open(host: str, port: int) -> socket.socket:
    if not host:
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
            return socket.create_server(("", port))
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, place = found[0]
    return socket.create_server((str(place[0]), port), family=socket.AddressFamily(family))


def _not_bound(address: str, problem: str, remedy: str) -> ConfigError:
    place = f"--web.listen-address {address!r}"
    return ConfigError([Problem(place=place, path="", problem=problem, remedy=remedy)])


def _shown(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
