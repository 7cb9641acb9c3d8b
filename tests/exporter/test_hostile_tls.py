"""TLS that is not as it should be: each has its reason, and the text of it is ours."""

from __future__ import annotations

import datetime as dt
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from exporter.access import Tls
from exporter.probes.http import Http
from exporter.run import Run, perform
from exporter.target import Reason
from exporter.transport import open_transport
from lab.certificates import issue, open_authority

Served = Callable[[Path], ssl.SSLContext | None]


def served(
    *,
    days: float = 10,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    signed_by: str = "ours",
    most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> Served:
    """Make a server's context out of a folder; its certificate lasts so many days."""

    def context(folder: Path) -> ssl.SSLContext:
        now = dt.datetime.now(dt.UTC)
        pem, _ = issue(open_authority(folder / signed_by, now), list(hosts), now, days)
        (folder / "served.pem").write_bytes(pem)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(folder / "served.pem")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # an old version is the point
            if most is ssl.TLSVersion.TLSv1_1:
                made.set_ciphers("ALL:@SECLEVEL=0")
                made.minimum_version = ssl.TLSVersion.TLSv1
            made.maximum_version = most
        return made

    return context


def plain(_folder: Path) -> None:
    """Serve without TLS."""


@asynccontextmanager
async def serving(context: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Serve a page that is always right on loopback."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="right")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        port = unused_port()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        yield f"127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def asked(folder: Path, context: Served, scheme: str = "https") -> Run:
    """Ask a server as the kind http, trusting our own authority."""
    open_authority(folder / "ours", dt.datetime.now(dt.UTC))
    async with serving(context(folder)) as at, open_transport() as transport:
        tls = Tls(ca_file=folder / "ours" / "ca.pem") if scheme == "https" else None
        target = Http(name="t", url=f"{scheme}://{at}/", timeout=5, tls=tls)
        return await perform(target, target.questions()[0], transport)


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        pytest.param(served(), None, id="right"),
        pytest.param(served(most=ssl.TLSVersion.TLSv1_2), None, id="TLS 1.2"),
        pytest.param(served(hosts=("b.example",)), Reason.TLS, id="another name"),
        pytest.param(served(hosts=("*",)), Reason.TLS, id="a star"),
        pytest.param(served(days=-0.02), Reason.TLS, id="expired"),
        pytest.param(served(signed_by="stranger"), Reason.TLS, id="nobody's"),
        pytest.param(served(most=ssl.TLSVersion.TLSv1_1), Reason.TLS, id="TLS 1.1"),
        pytest.param(plain, Reason.TLS, id="no TLS"),
    ],
)
async def test_a_certificate_is_held_to_all(
    tmp_path: Path, context: Served, reason: Reason | None
) -> None:
    """Name, dates, authority and version must all be right; what is not says no more than that."""
    run = await asked(tmp_path, context)
    assert run.reason is reason, run.detail
    assert run.exchange is not None
    assert run.exchange.status == (200 if reason is None else None)


async def test_plain_http_to_a_tls_port_is_no_answer(tmp_path: Path) -> None:
    """The alert that comes back is not HTTP."""
    run = await asked(tmp_path, served(), scheme="http")
    assert run.reason in {Reason.PROTOCOL, Reason.HTTP_4XX}
