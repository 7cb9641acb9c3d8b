"""The command's own errors, and what it asks a Prometheus that misbehaves."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer
from rich.console import Console

from responder.backtest.command import BacktestError, parser, run
from responder.outlet import Outlet

NOW = 1_700_000_000.0


async def asked(*flags: str) -> None:
    """Run the command with these flags."""
    outlet = Outlet(console=Console(file=StringIO()), tell=lambda _text: None)
    await run(parser().parse_args(flags), {}, outlet, now=NOW)


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ((), "no Prometheus is known; give --prometheus.url"),
        (("--prometheus.url", "localhost:9090"), "is no web address; give one such as http"),
        (("--prometheus.url", "http://127.0.0.1:1"), "ClientConnectorError; check the address"),
        (("--since", "0", "--prometheus.url", "http://127.0.0.1:1"), "--since: nothing"),
    ],
)
async def test_what_cannot_be_is_said(flags: tuple[str, ...], problem: str) -> None:
    """Each error names place, problem and remedy."""
    with pytest.raises(BacktestError, match=problem):
        await asked(*flags)


def _empty(_request: web.Request) -> web.Response:
    return web.json_response({"status": "success", "data": {"result": [], "groups": []}})


def _error(_request: web.Request) -> web.Response:
    return web.json_response({"status": "error", "error": "no"}, status=500)


def _garbage(_request: web.Request) -> web.Response:
    return web.Response(text="<html>")


def _elsewhere(_request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (_empty, "has no samples in the last 7 days; go further back with --since"),
        (_error, "answered 500"),
        (_garbage, "not JSON"),
        (_elsewhere, "answered 302"),
    ],
)
async def test_a_prometheus_without_alerts_or_sense_is_said(
    aiohttp_server: AiohttpServer, answer: Callable[[web.Request], Any], problem: str
) -> None:
    """What it answered is in the error; a redirect is not followed."""

    async def handle(request: web.Request) -> web.Response:
        response: web.Response = answer(request)
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    server = await aiohttp_server(app)
    with pytest.raises(BacktestError, match=problem):
        await asked("--prometheus.url", str(server.make_url("")))
