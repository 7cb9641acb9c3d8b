"""Serves one component, with its dials turned by its parent over standard input."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from lab import addresses
from lab.component import Component, Site
from lab.dials import DialBox

log = structlog.get_logger(__name__)

STOP_WITHIN_SECONDS = 1.0
LINE_BYTES = 65536


async def serve(component: Component, site: Site) -> None:
    """Serve until standard input ends (the parent is gone) or a signal comes.

    The parent writes one JSON object a line, all dials that are not healthy; each is answered by
    a line `{"turned": true}`, and the first line of all says `{"ready": true}`.
    """
    component.app.middlewares.append(_metrics_may_go(component.dials))
    # A request whose client has gone is cancelled, so that the engine can forget it.
    runner = web.AppRunner(
        component.app,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=STOP_WITHIN_SECONDS,
    )
    await runner.setup()
    try:
        for listening in component.listens:
            host, port = addresses.split(site.addresses[listening.name])
            # Two versions share the port for a moment while one is rolled out.
            await web.TCPSite(
                runner,
                addresses.bind_host(host) or None,
                port,
                ssl_context=listening.tls,
                reuse_port=True,
            ).start()
        await _obey(component)
    finally:
        await runner.cleanup()


def _metrics_may_go(dials: DialBox[Any]) -> Middleware:
    """Refuse scrapes while the dial says so; all else is served."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if dials.now.metrics_gone and request.path == "/metrics":
            return web.Response(status=503, text="metrics are not available")
        return await handler(request)

    return middleware


async def _obey(component: Component) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, reader.feed_eof)
    _say({"ready": True})
    while line := await reader.readline():
        try:
            component.dials.turn(orjson.loads(line))
        except (orjson.JSONDecodeError, ValidationError) as error:
            log.warning("dials refused", reason=str(error))
            _say({"turned": False})
        else:
            _say({"turned": True})


def _say(message: dict[str, bool]) -> None:
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
    sys.stdout.flush()
