"""Targets over HTTP: what is sent, and which answers are lists."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from exporter.access import Auth, Basic
from exporter.discoveries.http_sd import HttpSd
from exporter.discovery import DiscoveryError, Document
from exporter.probes.http import Http
from exporter.transport import open_transport
from toolkit.secrets import Secret

SECRET = Secret(place="test", value="s3cret")
AUTHS = {
    "bearer": (Auth(bearer=SECRET), "Bearer s3cret"),
    "basic": (
        Auth(basic=Basic(username="u", password=SECRET)),
        "Basic dTpzM2NyZXQ=",
    ),
}


async def asked(
    answer: web.Response, seen: dict[str, str] | None = None, **given: Any
) -> list[Document]:
    """Ask a server that gives this answer."""

    async def serve(request: web.Request) -> web.Response:
        if seen is not None:
            seen.update(request.headers)
        return answer

    app = web.Application()
    app.router.add_get("/sd", serve)
    async with TestServer(app) as server, open_transport() as transport:
        url = f"{server.make_url('/sd')}?key=hidden"
        place = HttpSd(name="p", url=url, template=Http(), **given)
        return list(await place.documents(transport, {}))


@pytest.mark.parametrize("name", AUTHS)
async def test_credentials_and_prometheus_headers_are_sent(name: str) -> None:
    """As Prometheus sends them."""
    auth, header = AUTHS[name]
    seen: dict[str, str] = {}
    (document,) = await asked(web.json_response([]), seen, auth=auth, refresh=90)
    assert document.groups == []
    assert "hidden" not in document.origin
    assert seen["Authorization"] == header
    assert seen["Accept"] == "application/json"
    assert seen["X-Prometheus-Refresh-Interval-Seconds"] == "90"


NO_LISTS: dict[str, tuple[web.Response, str]] = {
    "status": (web.json_response([], status=500), "status 500"),
    "unauthorized": (web.json_response([], status=401), "status 401"),
    "redirect": (web.Response(status=302, headers={"Location": "http://h"}), "status 302"),
    "content type": (web.Response(text="[]"), "content type"),
    "no json": (web.Response(text="[", content_type="application/json"), "not JSON"),
    "NaN": (web.Response(text="[NaN]", content_type="application/json"), "not JSON"),
    "deep": (web.Response(text="[" * 3_000, content_type="application/json"), "not JSON"),
    "no list": (web.json_response({"targets": []}), "not a list"),
    "too large": (web.json_response(["x" * 5_000]), "over 4096 bytes"),
}


@pytest.mark.parametrize("name", NO_LISTS)
async def test_what_is_no_list_is_a_failure(name: str) -> None:
    """So the last list holds."""
    answer, said = NO_LISTS[name]
    with pytest.raises(DiscoveryError, match=said):
        await asked(answer, limit_bytes=4_096)


async def test_a_secret_that_is_gone_is_a_failure(tmp_path: Any) -> None:
    """Its file is read anew for each look; the problem names the file and no value."""
    path = tmp_path / "token"
    path.write_text("t0ken")
    auth = Auth(bearer=Secret.from_file(path))
    path.unlink()
    with pytest.raises(DiscoveryError, match="cannot be read") as refused:
        await asked(web.json_response([]), auth=auth)
    assert "t0ken" not in str(refused.value)
