"""The gateway: one door in front of chat and embeddings, over http and https, streaming through."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
import structlog
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import Field

from lab import addresses, certificates, instruments
from lab.component import Component, Listening, Site
from lab.dials import DialBox, Dials
from lab.instruments import Instruments
from lab.serving import RefusedError, application, json_response, openai_error, read_body

log = structlog.get_logger(__name__)

HOSTS = ("gateway", "localhost", "127.0.0.1", "::1")
CONNECT_SECONDS = 2.0
SILENCE_SECONDS = 15.0
WHOLE_SECONDS = 180.0
CONNECTIONS = 512
# RFC 9110, section 7.6.1: these belong to one connection and are not passed on.
HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
    ]
)


class GatewayDials(Dials):
    """How the gateway can be made to fail."""

    certificate_days: float = Field(default=90.0, gt=0, le=365)


@dataclass(kw_only=True, slots=True)
class Proxy:
    """Passes requests to one peer and its answers back, chunk by chunk."""

    measures: Instruments
    peers: Mapping[str, str]
    session: aiohttp.ClientSession | None = field(default=None)

    async def lives(self, _app: web.Application) -> AsyncIterator[None]:
        """Keep one session open as long as the application runs."""
        timeout = aiohttp.ClientTimeout(
            total=WHOLE_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
        )
        async with aiohttp.ClientSession(
            timeout=timeout,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            auto_decompress=False,
        ) as self.session:
            yield

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Pass a request to chat."""
        return await self._pass("chat", request)

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """Pass a request to embeddings."""
        return await self._pass("embeddings", request)

    async def _pass(self, peer: str, request: web.Request) -> web.StreamResponse:
        assert self.session is not None  # noqa: S101 - the application is running
        body = await read_body(request)
        response: web.StreamResponse | None = None
        try:
            async with (
                instruments.upstream(self.measures, peer) as call,
                self.session.request(
                    request.method,
                    f"{self.peers[peer]}{request.path}",
                    data=body or None,
                    headers=_passed_on(request.headers),
                    allow_redirects=False,
                ) as answer,
            ):
                call.code = str(answer.status)
                response = web.StreamResponse(
                    status=answer.status, headers=_passed_on(answer.headers)
                )
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
        except ConnectionResetError:
            raise  # the client has gone
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            if response is not None and response.prepared:
                return _cut(request, response)
            late = isinstance(error, TimeoutError)
            raise RefusedError(504 if late else 502, f"{peer}: {type(error).__name__}") from None
        await response.write_eof()
        return response


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in HOP_BY_HOP and name.lower() not in named
    )


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Close the client's connection, so that a broken answer does not look like a whole one."""
    if request.transport is not None:
        request.transport.abort()
    return response


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """The https side: its context, and the authority that signs its certificates."""

    context: ssl.SSLContext
    authority: certificates.Authority

    def turned(self, dials: GatewayDials) -> None:
        """Serve a certificate that ends in as many days as the dial says, from now on."""
        now = dt.datetime.now(dt.UTC)
        pem, ends = certificates.issue(self.authority, HOSTS, now, dials.certificate_days)
        certificates.swap(self.context, self.authority, pem)
        log.info("certificate served", ends=ends.isoformat())


async def _health(_request: web.Request) -> web.StreamResponse:
    return json_response({"status": "ok"})


def build(site: Site) -> Component:
    """Return the gateway, with the lab's authority in the certificates folder."""
    measures = instruments.build(site.version)
    app = application(measures, openai_error)
    proxy = Proxy(
        measures=measures,
        peers={
            "chat": addresses.url(site.addresses, "chat:8000"),
            "embeddings": addresses.url(site.addresses, "embeddings:8001"),
        },
    )
    app.cleanup_ctx.append(proxy.lives)
    app.router.add_get("/healthz", _health)
    app.router.add_get("/v1/models", proxy.chat)
    app.router.add_post("/v1/chat/completions", proxy.chat)
    app.router.add_post("/v1/embeddings", proxy.embeddings)
    authority = certificates.open_authority(site.certs_dir, dt.datetime.now(dt.UTC))
    door = Door(context=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), authority=authority)
    dials = DialBox(GatewayDials())
    dials.watch(door.turned)
    door.turned(dials.now)
    return Component(
        app=app,
        dials=dials,
        listens=(
            Listening(name="gateway:8080"),
            Listening(name="gateway:8443", tls=door.context),
        ),
    )
