"""A real server for one test, and the runs made against it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

import exporter.checks
import exporter.probes  # noqa: F401 - registers the kinds
from exporter.probe import Probe, probe_of
from exporter.run import Run, perform
from exporter.target import Target
from exporter.transport import open_transport

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Kind = Callable[..., Target | Probe]


def says(body: Any, status: int = 200, content_type: str = "application/json") -> Handler:
    """Make the handler that answers so, whatever is asked; bytes go as they are."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, content_type=content_type)
        return web.json_response(body, status=status)

    return answer


async def asked(
    routes: Mapping[str, Handler] | Handler, kind: Kind, canary: str | None = None, **fields: Any
) -> Run:
    """Serve *routes* ("POST /path" or any), ask one canary (the first) once, return the run."""
    app = web.Application()
    if isinstance(routes, Mapping):
        for route, handler in routes.items():
            method, _, path = route.partition(" ")
            app.router.add_route(method, path, handler)
    else:
        app.router.add_route("*", "/{any:.*}", routes)
    server = TestServer(app)
    await server.start_server()
    try:
        target = kind(**{"name": "t", "timeout": 5.0, "url": str(server.make_url("/")), **fields})
        assert isinstance(target, Target)
        questions = {each.canary: each for each in probe_of(target).questions()}
        chosen = next(iter(questions)) if canary is None else canary
        async with open_transport() as transport:
            return await perform(target, questions[chosen], transport)
    finally:
        await server.close()
