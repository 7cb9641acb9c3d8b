"""Servers that answer in their documented forms, and refuse everything else as they do.

Each form is that of the server's own documentation or source: the paths, the methods, the body of
an error, the header that a key is wanted in.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

KEY = "sk-test-0123456789"
_TRIES = 50


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer; text and bytes go as they are, the rest as JSON."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def response(self) -> web.Response:
        """Make the answer."""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return web.Response(
            text=text, status=self.status, headers=self.headers, content_type=self.content_type
        )


@dataclass(frozen=True, kw_only=True)
class Standin:
    """One server: its answers by "METHOD /path", on its port and on those beside it.

    `unlocked_by` is the header that must hold the key, and its value; `locked` is said without,
    but for the paths that are `free`.
    """

    answers: Mapping[str, Said]
    missing: Said
    beside: Mapping[int, Mapping[str, Said]] = field(default_factory=dict)
    unlocked_by: tuple[str, str] | None = None
    locked: Said | None = None
    also_wanted: Mapping[str, str] = field(default_factory=dict)
    free: tuple[str, ...] = ("/health", "/metrics")


@dataclass(kw_only=True)
class Running:
    """A server that runs, and what it was asked: (port beside, "METHOD /path", headers)."""

    url: str
    asked: list[tuple[int, str, Mapping[str, str]]] = field(default_factory=list)


def page(*names: str) -> Said:
    """Make a page of metrics with these names."""
    text = "".join(f"# HELP {name} x\n# TYPE {name} gauge\n{name} 1.0\n" for name in names)
    return Said(body=text, content_type="text/plain")


def models(*names: str, owner: str, **more: Any) -> Said:
    """Make a list as OpenAI's GET /v1/models has it."""
    cards = [
        {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": owner, **more}
        for name in names
    ]
    return Said(body={"object": "list", "data": cards})


FASTAPI_404 = Said(status=404, body={"detail": "Not Found"})


@asynccontextmanager
async def running(standin: Standin) -> AsyncIterator[Running]:
    """Serve it on a free port, and on the ports beside it."""
    for _ in range(_TRIES):
        async with AsyncExitStack() as stack:
            found = Running(url="")
            try:
                first = await _served(standin, 0, None, found, stack)
                for beside in standin.beside:
                    await _served(standin, beside, (first.port or 0) + beside, found, stack)
            except OSError:  # a port beside is another's
                continue
            found.url = str(first.make_url("")).rstrip("/")
            yield found
            return
    raise AssertionError("no free ports beside one another")


async def _served(
    standin: Standin, beside: int, port: int | None, found: Running, stack: AsyncExitStack
) -> TestServer:
    answers = standin.beside[beside] if beside else standin.answers

    async def answer(request: web.Request) -> web.Response:
        asked = f"{request.method} {request.path}"
        found.asked.append((beside, asked, dict(request.headers)))
        if not beside and not _unlocked(standin, request) and standin.locked is not None:
            return standin.locked.response()
        return answers.get(asked, standin.missing).response()

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    server = TestServer(app, host="127.0.0.1", port=port, socket_factory=_bound)
    await server.start_server()
    stack.push_async_callback(server.close)
    return server


def _bound(host: str, port: int, family: socket.AddressFamily) -> socket.socket:
    """Bind a socket; unlike aiohttp's own factory, close it where the port is another's."""
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


def _unlocked(standin: Standin, request: web.Request) -> bool:
    """Say whether a request may be answered; what is free needs no key."""
    if standin.unlocked_by is None or request.path.startswith(standin.free):
        return True
    name, value = standin.unlocked_by
    wanted = {name: value, **standin.also_wanted}
    return all(request.headers.get(each) == text for each, text in wanted.items())
