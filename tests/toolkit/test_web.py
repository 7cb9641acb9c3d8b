"""The web side: health, readiness, reload, headers, deadlines, addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import structlog
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from lab.stack.ports import free_addresses
from toolkit.settings import ConfigError, Problem
from toolkit.web import WebConfig, application, load_web_config, serve, without_deadline

NO_CONFIG = load_web_config(None, {})


def plain(
    *,
    ready: Callable[[], bool] = lambda: True,
    reload: Callable[[], Awaitable[None]] | None = None,
    config: WebConfig = NO_CONFIG,
    deadline_seconds: float = 60,
) -> web.Application:
    """Make an application with a page of its own."""
    app = application(
        ready=ready,
        reload=reload,
        web=config,
        request_deadline_seconds=deadline_seconds,
        largest_body_bytes=1000,
    )

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=f"page of {len(await request.read())}")

    app.router.add_route("*", "/page", page)
    return app


async def test_health(aiohttp_client: AiohttpClient) -> None:
    """Health is always well; readiness follows the program."""
    state = {"ready": False}
    client = await aiohttp_client(plain(ready=lambda: state["ready"]))
    assert (await client.get("/-/healthy")).status == 200
    assert (await client.get("/-/ready")).status == 503
    state["ready"] = True
    assert (await client.get("/-/ready")).status == 200


async def test_reload(aiohttp_client: AiohttpClient) -> None:
    """A reload answers 200, or 500 with every problem of the file."""
    problems = [Problem(place="a.yml:1", path="b", problem="c", remedy="d")]

    async def reload() -> None:
        if problems:
            raise ConfigError(problems)

    client = await aiohttp_client(plain(reload=reload))
    answer = await client.post("/-/reload")
    assert (answer.status, await answer.text()) == (500, "a.yml:1: b: c; d\n")
    problems.clear()
    assert (await client.post("/-/reload")).status == 200
    assert (await client.get("/-/reload")).status == 405


async def test_no_reload(aiohttp_client: AiohttpClient) -> None:
    """A program without a reload says so."""
    client = await aiohttp_client(plain())
    assert (await client.post("/-/reload")).status == 403


async def test_reloads_one_at_a_time(aiohttp_client: AiohttpClient) -> None:
    """Two reloads asked at once run one after the other."""
    inside, most = 0, 0

    async def reload() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1

    client = await aiohttp_client(plain(reload=reload))
    answers = await asyncio.gather(*(client.post("/-/reload") for _ in range(5)))
    assert [answer.status for answer in answers] == [200] * 5
    assert most == 1


@pytest.mark.parametrize("path", ["/page", "/-/healthy", "/none"])
async def test_headers(aiohttp_client: AiohttpClient, path: str) -> None:
    """Every answer, an error too, has the security headers and hides the server's make."""
    headers = (await (await aiohttp_client(plain())).get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Server"] == "vigie"


async def test_headers_of_a_crash(aiohttp_client: AiohttpClient) -> None:
    """A handler that raises is answered 500, with the headers and without the reason."""
    app = plain()

    async def crash(_request: web.Request) -> web.Response:
        raise RuntimeError("hunter2")

    app.router.add_get("/crash", crash)
    answer = await (await aiohttp_client(app)).get("/crash")
    assert answer.status == 500
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "hunter2" not in await answer.text()


async def test_own_headers(aiohttp_client: AiohttpClient, tmp_path: Path) -> None:
    """The file's headers replace ours, and follow the file."""
    path = tmp_path / "web.yml"
    path.write_text("http_server_config: {headers: {X-Frame-Options: SAMEORIGIN}}")
    client = await aiohttp_client(plain(config=load_web_config(path, {})))
    assert (await client.get("/page")).headers["X-Frame-Options"] == "SAMEORIGIN"
    path.write_text("http_server_config: {headers: {Strict-Transport-Security: max-age=9}}")
    headers = (await client.get("/page")).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Strict-Transport-Security"] == "max-age=9"


async def test_broken_file_is_not_taken(aiohttp_client: AiohttpClient, tmp_path: Path) -> None:
    """A web file that breaks later leaves the last good one in force, and is told once."""
    path = tmp_path / "web.yml"
    path.write_text("http_server_config: {headers: {X-Frame-Options: SAMEORIGIN}}")
    client = await aiohttp_client(plain(config=load_web_config(path, {})))
    path.write_text("http_server_config: {header: }")
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            headers = (await client.get("/page")).headers
            assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert len(logs) == 1
    assert "did you mean 'headers'?" in logs[0]["error"]


async def test_deadline(aiohttp_client: AiohttpClient) -> None:
    """A handler over the deadline is cancelled and answered 503; a stream may say otherwise."""
    cancelled = asyncio.Event()
    app = plain(deadline_seconds=0.1)

    async def slow(_request: web.Request) -> web.Response:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    @without_deadline
    async def long(_request: web.Request) -> web.Response:
        await cancelled.wait()
        return web.Response(text="at last")

    app.router.add_get("/slow", slow)
    app.router.add_get("/long", long)
    client = await aiohttp_client(app)
    long_answer = asyncio.create_task(client.get("/long"))
    assert (await client.get("/slow")).status == 503
    assert cancelled.is_set()
    assert (await long_answer).status == 200


async def test_slow_body(aiohttp_client: AiohttpClient) -> None:
    """A body that never ends runs into the deadline."""
    client = await aiohttp_client(plain(deadline_seconds=0.1))
    assert client.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")
    async with asyncio.timeout(60):
        assert b" 503 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_large_body(aiohttp_client: AiohttpClient) -> None:
    """A body over the size is answered 413."""
    client = await aiohttp_client(plain())
    assert (await client.post("/page", data=b"x" * 1000)).status == 200
    assert (await client.post("/page", data=b"x" * 1001)).status == 413


@pytest.mark.parametrize(
    ("method", "site", "status"),
    [
        ("POST", "cross-site", 403),
        ("POST", "same-site", 403),
        ("POST", "same-origin", 200),
        ("POST", "none", 200),
        ("GET", "cross-site", 200),
    ],
)
async def test_foreign_pages(
    aiohttp_client: AiohttpClient, method: str, site: str, status: int
) -> None:
    """A form on another site cannot change anything here; a link from there may be followed."""
    client = await aiohttp_client(plain())
    answer = await client.request(method, "/page", headers={"Sec-Fetch-Site": site})
    assert answer.status == status


async def get(address: str, path: str = "/-/healthy") -> int:
    """Ask *address* and give the status."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as answer:
        return answer.status


async def test_serve() -> None:
    """Several addresses are served, on the ports that are given back, until the end."""
    async with serve(plain(), ["127.0.0.1:0", "localhost:0", ":0"], NO_CONFIG) as addresses:
        assert len(addresses) == 3
        assert addresses[0].startswith("127.0.0.1:")
        for address in addresses:
            port = address.rpartition(":")[2]
            assert await get(f"127.0.0.1:{port}") == 200
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(addresses[0])


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
async def test_serve_ipv6() -> None:
    """An IPv6 address is written in brackets."""
    async with serve(plain(), ["[::1]:0"], NO_CONFIG) as (address,):
        assert address.startswith("[::1]:")
        assert await get(address) == 200


@pytest.mark.parametrize("address", ["", "10917", "a:b", ":-1", ":65536", ":٣", "localhost:"])
async def test_no_address(address: str) -> None:
    """What is no address is refused with the form of one."""
    with pytest.raises(ConfigError) as caught:
        async with serve(plain(), [address], NO_CONFIG):
            pass
    assert str(caught.value) == (
        f"--web.listen-address {address!r}: not an address; write it like :9090 or 127.0.0.1:9090"
    )


async def test_address_in_use() -> None:
    """An address in use is refused, and what was bound before it is free again."""
    async with serve(plain(), ["127.0.0.1:0"], NO_CONFIG) as (taken,):
        free = free_addresses(["free"])["free"]
        with pytest.raises(ConfigError, match=r"cannot be bound .*; choose another"):
            async with serve(plain(), [free, taken], NO_CONFIG):
                pass
        async with serve(plain(), [free], NO_CONFIG) as (again,):
            assert again == free


async def test_serve_ends_requests() -> None:
    """A request that hangs does not hold up the stop, and is cancelled."""
    app = plain()
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    app.router.add_get("/hang", hang)
    async with asyncio.timeout(9), serve(app, ["127.0.0.1:0"], NO_CONFIG) as (address,):
        asking = asyncio.create_task(get(address, "/hang"))
        await entered.wait()
    assert cancelled.is_set()
    with pytest.raises(aiohttp.ClientError):
        await asking
