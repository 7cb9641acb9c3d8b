"""The gateway: streams through, says 502 and 504, cuts what broke, and swaps its certificate."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509

from lab.components import chat, embeddings, gateway
from tests.lab.servers import Served, Servers

PROMPT = {"role": "user", "content": "What is the capital of France?"}
ASKED = {"model": "lab-chat", "stream": True, "messages": [PROMPT]}


@pytest.fixture
async def behind(servers: Servers) -> Served:
    """Serve chat and embeddings; returns chat."""
    await servers.serve(embeddings)
    return await servers.serve(chat)


@pytest.fixture
async def server(servers: Servers, behind: Served) -> Served:
    """Serve the gateway in front of them."""
    assert servers.addresses["chat:8000"] == behind.address
    return await servers.serve(gateway)


async def test_chunks_come_as_they_are_made(server: Served) -> None:
    """The first token arrives well before the last: nothing is held back."""
    loop = asyncio.get_running_loop()
    async with server.client.post("/v1/chat/completions", json=ASKED) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        times = [loop.time() async for _ in response.content.iter_any()]
    assert len(times) > 8
    assert times[-1] - times[0] > 0.1


async def test_answers_and_errors_pass_unchanged(server: Served, behind: Served) -> None:
    """Bodies, statuses and content types are the server's own."""
    for body in ({"model": "lab-embed", "input": "x"}, {"model": "none", "input": "x"}):
        through = await server.client.post("/v1/embeddings", json=body)
        assert through.status == (200 if body["model"] == "lab-embed" else 404)
        assert through.content_type == "application/json"
    refused = await server.client.post("/v1/chat/completions", data=b"{")
    direct = await behind.client.post("/v1/chat/completions", data=b"{")
    assert (refused.status, await refused.read()) == (direct.status, await direct.read())
    assert (await server.client.get("/v1/models")).status == 200


async def test_its_metrics_name_the_peer(server: Served) -> None:
    """Calls are counted and timed per peer, with the peer's status."""
    await server.client.post("/v1/embeddings", json={"model": "lab-embed", "input": "x"})
    await server.client.post("/v1/chat/completions", data=b"{")
    seen = await server.metrics()
    assert seen['upstream_requests_total{code="200",peer="embeddings"}'] == 1
    assert seen['upstream_requests_total{code="400",peer="chat"}'] == 1
    assert seen['upstream_request_duration_seconds_count{peer="chat"}'] == 1


async def test_a_peer_that_is_gone_is_502(server: Served, behind: Served) -> None:
    """A refused connection is the gateway's 502, while the other peer is still served."""
    await behind.client.close()
    response = await server.client.post("/v1/chat/completions", json=ASKED)
    assert response.status == 502
    assert (await response.json())["error"]["message"].startswith("chat: ")
    asked = {"model": "lab-embed", "input": "x"}
    assert (await server.client.post("/v1/embeddings", json=asked)).status == 200
    assert (await server.client.get("/healthz")).status == 200
    seen = await server.metrics()
    assert seen['upstream_requests_total{code="error",peer="chat"}'] == 1


@asynccontextmanager
async def stranger(servers: Servers, handler: Any) -> AsyncIterator[Served]:
    """Serve the gateway in front of a handler that stands where chat should be."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", handler)
    async with TestServer(app) as peer:
        servers.addresses["chat:8000"] = f"127.0.0.1:{peer.port}"
        yield await servers.serve(gateway)


async def test_a_silent_peer_is_504(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that accepts and says nothing is given up."""
    monkeypatch.setattr(gateway, "SILENCE_SECONDS", 0.1)
    answered = asyncio.Event()

    async def silent(_request: web.Request) -> web.Response:
        await answered.wait()
        return web.Response()

    async with stranger(servers, silent) as server:
        response = await server.client.post("/v1/chat/completions", json=ASKED)
        assert response.status == 504
        assert (await server.metrics())['upstream_requests_total{code="timeout",peer="chat"}'] == 1
        answered.set()


async def test_a_broken_stream_does_not_look_whole(servers: Servers) -> None:
    """When the peer breaks off, the client's connection breaks as well."""

    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"data: {}\n\n")
        await asyncio.sleep(0.05)
        assert request.transport is not None
        request.transport.abort()
        return response

    async with stranger(servers, breaks) as server:
        response = await server.client.post("/v1/chat/completions", json=ASKED)
        assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await response.read()


async def test_a_client_that_leaves_is_no_error(server: Served, behind: Served) -> None:
    """When the client goes, so does the request behind the gateway."""
    behind.component.dials.turn({"stalled": True})

    async def read() -> bytes:
        # The status comes at once, as vLLM sends it: what hangs is the body.
        async with server.client.post("/v1/chat/completions", json=ASKED) as response:
            return await response.read()

    asked = asyncio.create_task(read())
    waiting = 'vllm:num_requests_waiting{engine="0",model_name="lab-chat"}'
    await behind.until(waiting, 1)
    asked.cancel()
    await behind.until(waiting, 0)
    route = 'code="499",handler="/v1/chat/completions",method="POST"'
    await server.until(f"http_requests_total{{{route}}}", 1)


async def test_garbage_on_the_socket_is_survived(server: Served) -> None:
    """Bytes that are no HTTP, a lying length, an early close: the next client is served."""
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nshort",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    ):
        _, writer = await asyncio.open_connection(server.client.host, server.client.port)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await server.client.get("/healthz")).status == 200


async def served_certificate(servers: Servers, context: ssl.SSLContext) -> dt.datetime:
    """Shake hands, trusting the lab's authority alone; returns when the certificate ends."""
    trusting = ssl.create_default_context(cafile=servers.certs_dir / "ca.pem")
    tls = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=context)
    port = tls.sockets[0].getsockname()[1]
    async with tls:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
    return x509.load_der_x509_certificate(der).not_valid_after_utc


async def test_the_certificate_is_swapped_while_it_runs(servers: Servers, server: Served) -> None:
    """With the fault the next handshake has two days left, and after it again ninety."""
    context = server.component.listens[1].tls
    assert context is not None
    now = dt.datetime.now(dt.UTC)
    for dials, days in (({}, 90), ({"certificate_days": 2.0}, 2), ({}, 90)):
        server.component.dials.turn(dials)
        ends = await served_certificate(servers, context)
        assert ends - now == pytest.approx(dt.timedelta(days=days), abs=dt.timedelta(minutes=5))
