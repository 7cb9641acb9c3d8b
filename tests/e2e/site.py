"""A small web site on loopback: each page is one behaviour that a prober has to tell of."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"


async def _page(request: web.Request) -> web.Response:
    headers = {"X-Colour": "blue", "Last-Modified": MODIFIED}
    answer = web.Response(text="well said", headers=headers)
    if request.query.get("cookies"):
        answer.headers.add("Set-Cookie", "a=1")
        answer.headers.add("Set-Cookie", "b=2")
    return answer


async def _status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["code"]), text="so it is")


async def _moved(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": request.query["to"]}, text="there")


async def _pieces(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    await answer.write(b"well said")
    return answer


async def _posted(request: web.Request) -> web.Response:
    right = await request.text() == '{"a": 1}' and request.headers["Content-Type"] == "a/b"
    return web.Response(status=200 if right else 400)


async def _virtual(request: web.Request) -> web.Response:
    return web.Response(status=200 if request.headers["Host"] == "b.example" else 404)


async def _private(request: web.Request) -> web.Response:
    known = request.headers.get("Authorization") == aiohttp.encode_basic_auth("u", "hidden")
    return web.Response(status=200 if known else 401)


async def _squeezed(request: web.Request) -> web.Response:
    answer = web.Response(text="well said " * 100)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        answer.enable_compression(web.ContentCoding.gzip)
    return answer


def _site() -> web.Application:
    app = web.Application()
    app.router.add_get("/", _page)
    app.router.add_get("/status/{code}", _status)
    app.router.add_get("/moved", _moved)
    app.router.add_get("/pieces", _pieces)
    app.router.add_post("/posted", _posted)
    app.router.add_get("/virtual", _virtual)
    app.router.add_get("/private", _private)
    app.router.add_get("/squeezed", _squeezed)
    return app


@asynccontextmanager
async def site(context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve the site on a free port of loopback; yield its host and port."""
    runner = web.AppRunner(_site())
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await listener.start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
