"""Prometheus, Alertmanager and the exporter behind certificates, credentials, tenants, prefixes."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from responder.access import Basic, Tls
from responder.investigation.evidence import Evidence, Status
from responder.source import Source
from responder.sources.alertmanager import AlertmanagerSource
from responder.sources.exporter import ExporterSource
from responder.sources.prometheus import PrometheusSource
from responder.witness import SilentError, ask_alertmanager, ask_prometheus
from tests.responder.sources.far_end import NOW, question
from tests.toolkit.authority import Authority
from toolkit.secrets import Secret

PREFIX = "/select/0/prometheus"
SOURCES = (PrometheusSource, AlertmanagerSource, ExporterSource)
every_source = pytest.mark.parametrize("kind", SOURCES, ids=lambda each: each.__name__)


@dataclass(kw_only=True, slots=True)
class Gate:
    """A server below a prefix that wants a client's certificate, a user and a tenant."""

    authority: Authority
    url: str = ""
    let_in: list[str] = field(default_factory=list)
    kept_out: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as any of the three does where there is nothing, to who may ask."""
        may = request.headers.get("Authorization") == "Basic dTpwOnc="
        if not may or request.headers.get("X-Scope-OrgID") != "team":
            self.kept_out.append(request.path)
            return web.Response(status=401, text="who are you")
        if not request.path.startswith(f"{PREFIX}/api/"):
            return web.Response(status=404)
        self.let_in.append(request.path)
        if "/api/v2/status" in request.path:
            original = "route: {receiver: a}\nreceivers: [{name: a}]"
            return web.json_response({"config": {"original": original}})
        if "/api/v2/" in request.path:
            return web.json_response([])
        if request.path.endswith("/targets") and "state" not in request.query:
            return web.json_response({"targets": []})
        nothing: Mapping[str, Any] = {
            "resultType": "matrix",
            "result": [],
            "groups": [],
            "yaml": "",
        }
        return web.json_response({"status": "success", "data": nothing})

    def access(self, **more: Any) -> dict[str, Any]:
        """Give the settings that open it."""
        pair = self.authority.sign("vigie")
        tls = Tls(ca_file=self.authority.ca, client_cert_file=pair.cert, client_key_file=pair.key)
        basic = Basic(username="u", password=Secret(place="a test", value="p:w"))
        return {
            "url": self.url + PREFIX,
            "tls": tls,
            "basic": basic,
            "headers": {"X-Scope-OrgID": "team"},
            **more,
        }


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    """Serve it."""
    made = Gate(authority=Authority(tmp_path))
    pair = made.authority.sign("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(made.authority.ca))
    context.load_cert_chain(pair.cert, pair.key)
    context.verify_mode = ssl.CERT_REQUIRED
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    made.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def gathered(source: Source) -> list[Evidence]:
    """Ask a source."""
    async with aiohttp.ClientSession() as session:
        return list((await source.gather(question(session))).evidence)


@every_source
async def test_who_may_ask_is_answered(kind: Any, gate: Gate) -> None:
    """Its own authority, a certificate, a user, a tenant and a prefix, all at once."""
    found = await gathered(kind(**gate.access()))
    assert gate.let_in
    assert gate.kept_out == []
    assert {each.status for each in found} <= {Status.OK, Status.EMPTY}


@every_source
@pytest.mark.parametrize("without", ["basic", "headers", "tls"])
async def test_who_lacks_something_is_told(kind: Any, gate: Gate, without: str) -> None:
    """The evidence says what the server said, and holds no secret."""
    access = gate.access()
    del access[without]
    found = await gathered(kind(**access))
    assert gate.let_in == []
    assert {each.status for each in found} <= {Status.FAILED, Status.UNAVAILABLE, Status.EMPTY}
    told = " ".join(each.detail for each in found)
    assert ("certificate" if without == "tls" else "answered 401") in told
    assert "p:w" not in "".join(each.model_dump_json() for each in found)


@every_source
async def test_a_secret_that_cannot_be_read_is_told(kind: Any, gate: Gate, tmp_path: Path) -> None:
    """The place is named, and nobody is asked."""
    missing = Secret(place="file key", path=tmp_path / "gone")
    found = await gathered(kind(**gate.access(basic=None, bearer=missing)))
    assert (gate.let_in, gate.kept_out) == ([], [])
    assert {each.status for each in found} == {Status.UNAVAILABLE}
    assert "file key: " in found[0].detail


async def test_the_comparison_is_let_in_as_well(gate: Gate) -> None:
    """What asks for alerts uses the same certificates and credentials."""
    access = gate.access()
    async with aiohttp.ClientSession() as session:
        active = await ask_alertmanager(AlertmanagerSource(**access), session, NOW)
        fired = await ask_prometheus(PrometheusSource(**access), session, NOW - 60, NOW)
    assert (active.listed, fired.over) == ({}, [])
    assert gate.kept_out == []


async def test_the_comparison_tells_of_certificates_that_cannot_be_read(gate: Gate) -> None:
    """A file that is gone is silence, not an end of the task."""
    source = AlertmanagerSource(
        url=gate.url, tls=Tls.model_construct(ca_file=Path("/nowhere/ca.pem"))
    )
    async with aiohttp.ClientSession() as session:
        with pytest.raises(SilentError, match=r"ca\.pem"):
            await ask_alertmanager(source, session, NOW)
