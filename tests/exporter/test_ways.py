"""The ways to an endpoint: kept connections, proxies, client certificates, fallback, encodings."""

from __future__ import annotations

import asyncio
import base64
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from exporter.access import Tls
from exporter.target import Reason
from exporter.transport import Request, open_transport
from tests.exporter.servers import OK, Behaviour, request_of, says, serving, silent
from tests.toolkit.authority import Authority

ANSWER = OK + b"Content-Length: 2\r\n\r\nok"


def asking(url: str, **fields: Any) -> Request:
    """Make a request."""
    usual: dict[str, Any] = {"method": "GET", "timeout_seconds": 5.0, "limit_bytes": 1 << 20}
    return Request(url=url, **(usual | fields))


class Counting:
    """Answers each request on a connection, and counts connections and requests."""

    def __init__(self, answer: bytes = ANSWER, *, requests_each: int = 1000) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._answer = answer
        self._requests_each = requests_each

    async def behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until there is nothing more to say, then close."""
        self.connections += 1
        for _ in range(self._requests_each):
            self.requests.append(await request_of(reader))
            writer.write(self._answer)
            await writer.drain()


async def test_a_kept_connection_is_used_again() -> None:
    """It says so, and has no phase for what it did not do; another's is not."""
    server = Counting()
    async with serving(server.behave) as url, open_transport() as transport:
        made = [await transport.exchange(asking(url, keep=True)) for _ in range(3)]
        other = await transport.exchange(asking(url, keep=True, named=frozenset({"10.0.0.1"})))
    assert [each.reused for each in made] == [False, True, True]
    assert [each.body for each in made] == [b"ok"] * 3
    assert list(made[1].times.phases()) == ["processing", "transfer"]
    assert not other.reused
    assert server.connections == 2
    assert b"onnection: close" not in server.requests[0]


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ANSWER + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    ],
)
async def test_a_connection_that_is_not_to_be_kept_is_not(answer: bytes) -> None:
    """Nor one on which more came than was asked for: the next answer would be another's."""
    server = Counting(answer)
    async with serving(server.behave) as url, open_transport() as transport:
        made = [await transport.exchange(asking(url, keep=True)) for _ in range(2)]
    assert [(each.reused, each.body) for each in made] == [(False, b"ok")] * 2


async def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    """What the far end closed in between is no failure."""
    server = Counting(requests_each=1)
    async with serving(server.behave) as url, open_transport() as transport:
        first = await transport.exchange(asking(url, keep=True))
        async with asyncio.timeout(5):
            while (await transport.exchange(asking(url, keep=True))).reused:
                pass  # the close is under way; what was lost with it is not of interest here
    assert first.complete
    assert server.connections >= 2


async def test_a_kept_connection_that_breaks_after_the_request_is_a_failure() -> None:
    """Nothing is sent twice."""
    requests = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await request_of(reader)
        writer.write(ANSWER)
        await request_of(reader)
        requests += 1
        writer.transport.abort()

    async with serving(behave) as url, open_transport() as transport:
        assert (await transport.exchange(asking(url, keep=True))).complete
        exchange = await transport.exchange(asking(url, keep=True))
    assert (exchange.reused, exchange.failure, requests) == (True, Reason.PROTOCOL, 1)


async def test_a_plain_request_goes_through_its_proxy() -> None:
    """With the whole address, and credentials that are the proxy's."""
    proxy = Counting()
    async with serving(proxy.behave) as url, open_transport() as transport:
        exchange = await transport.exchange(
            asking("http://endpoint.invalid/x?y=1", proxy=url, proxy_authorization="Basic eA==")
        )
    assert exchange.body == b"ok"
    assert proxy.requests[0].startswith(b"GET http://endpoint.invalid/x?y=1 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic eA==\r\n" in proxy.requests[0]


@asynccontextmanager
async def serving_tls(authority: Authority, behave: Behaviour, **wants: Any) -> AsyncIterator[int]:
    """Serve over TLS; *wants* are attributes of the context."""
    pair = authority.sign("server", "inner.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    context.load_verify_locations(cafile=authority.ca)
    for name, value in wants.items():
        setattr(context, name, value)
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await behave(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.02)  # the transports' own end, which nothing tells


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make an authority of our own."""
    return Authority(tmp_path)


def tunnelling(port: int, seen: list[bytes]) -> Behaviour:
    """Connect whoever asks to a port of this machine."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))
        finally:
            inner_writer.transport.abort()

    return behave


@pytest.mark.parametrize("keep", [False, True])
async def test_tls_goes_through_a_tunnel(authority: Authority, keep: bool) -> None:  # noqa: FBT001
    """The proxy connects, and sees neither the request nor the endpoint's credentials."""
    seen: list[bytes] = []
    inner = Counting()
    async with (
        serving_tls(authority, inner.behave) as port,
        serving(tunnelling(port, seen)) as proxy,
        open_transport() as transport,
    ):
        request = asking(
            "https://inner.example/secret",
            tls=Tls(ca_file=authority.ca),
            headers={"Authorization": "Bearer t0ken"},
            proxy=proxy,
            proxy_authorization="Basic " + base64.b64encode(b"u:p").decode(),
            keep=keep,
        )
        made = [await transport.exchange(request) for _ in range(2)]
    assert [(each.body, each.reused) for each in made] == [(b"ok", False), (b"ok", keep)]
    assert seen[0].startswith(b"CONNECT inner.example:443 HTTP/1.1\r\nHost: inner.example:443\r\n")
    assert b"Proxy-Authorization: Basic dTpw\r\n" in seen[0]
    assert b"t0ken" not in seen[0]
    assert b"Proxy-Authorization" not in inner.requests[0]
    assert (made[0].certificate_expiry_timestamp_seconds or 0) > 1.7e9
    assert {"connect", "tls"} <= set(made[0].times.phases())


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        (says(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), "407"),
        (says(b"no proxy at all\r\n\r\n"), ""),
        (says(b""), ""),
    ],
)
async def test_a_proxy_that_does_not_connect_is_told(proxy: Behaviour, reason: str) -> None:
    """A refusal names its status; the endpoint is never blamed with a reason of TLS."""
    async with serving(proxy) as url, open_transport() as transport:
        exchange = await transport.exchange(asking("https://inner.example/", proxy=url))
    assert exchange.failure in {Reason.CONNECT, Reason.PROTOCOL}
    assert reason in exchange.detail
    assert not exchange.written


async def test_a_client_shows_its_certificate(authority: Authority) -> None:
    """A server that wants one answers who shows one, and nobody else."""
    pair = authority.sign("client", "client.example")
    server = Counting()
    async with (
        serving_tls(authority, server.behave, verify_mode=ssl.CERT_REQUIRED) as port,
        open_transport() as transport,
    ):
        url = f"https://127.0.0.1:{port}/"
        shown = Tls(
            ca_file=authority.ca,
            server_name="inner.example",
            client_cert_file=pair.cert,
            client_key_file=pair.key,
        )
        right = await transport.exchange(asking(url, tls=shown))
        bare = Tls(ca_file=authority.ca, server_name="inner.example")
        wrong = await transport.exchange(asking(url, tls=bare))
    assert right.body == b"ok"
    # In TLS 1.3 the server refuses after its client has finished, so that either may be told.
    assert wrong.failure in {Reason.TLS, Reason.PROTOCOL, Reason.CONNECT}
    assert len(server.requests) == 1


async def test_connecting_has_a_deadline_of_its_own(authority: Authority) -> None:
    """TLS included; a total that ends before is told as a total."""
    async with serving(silent) as url, open_transport() as transport:
        secure = url.replace("http:", "https:")
        tls = Tls(ca_file=authority.ca)
        exchange = await transport.exchange(asking(secure, tls=tls, connect_seconds=0.05))
        assert exchange.failure is Reason.TIMEOUT_CONNECT
        assert "0.05 s" in exchange.detail
        exchange = await transport.exchange(
            asking(secure, tls=tls, connect_seconds=5, timeout_seconds=0.03)
        )
        assert exchange.failure is Reason.TIMEOUT_CONNECT
        assert "0.03 s" in exchange.detail
        exchange = await transport.exchange(asking(url, connect_seconds=5, timeout_seconds=0.03))
        assert exchange.failure is Reason.TIMEOUT_TOTAL


async def test_the_other_family_is_tried() -> None:
    """A name with an address on which nobody listens is answered by its other one."""
    async with serving(says(ANSWER)) as url, open_transport() as transport:
        exchange = await transport.exchange(asking(url.replace("127.0.0.1", "localhost")))
    assert exchange.body == b"ok"
    assert exchange.peer.address == "127.0.0.1"


async def test_a_compressed_stream_is_read_as_it_comes() -> None:
    """Each piece is told when it came, not once the whole is there."""
    engine = zlib.compressobj(wbits=31)
    pieces = [engine.compress(b"data: %d\n\n" % n) + engine.flush(2) for n in range(3)]
    heard: list[bytes] = []

    def hear(data: bytes) -> bool:
        heard.append(data)
        return False

    head = OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
    server = says(head, *pieces, engine.flush(), every_seconds=0.02)
    async with serving(server) as url, open_transport() as transport:
        exchange = await transport.exchange(asking(url, heard=hear))
    assert b"".join(heard) == exchange.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert [chunk.data for chunk in exchange.chunks] == [b"data: %d\n\n" % n for n in range(3)]
    assert exchange.chunks[-1].at - exchange.chunks[0].at >= 0.03


async def test_a_late_reader_has_the_time_of_arrival() -> None:
    """A loop that is busy while the answer comes does not make the endpoint slow."""
    loop = asyncio.get_running_loop()
    sent = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK + b"Connection: close\r\n\r\ndata: 1\n\n")
        await writer.drain()
        begin = loop.time()
        while loop.time() - begin < 0.1:  # the loop that reads is this one, too
            pass
        sent.set()
        await reader.read()  # closing now would be the last that arrived

    async with serving(behave) as url, open_transport() as transport:
        # The kernel begins to stamp some milliseconds after the first socket asked.
        await asyncio.sleep(0.05)
        exchange = await transport.exchange(asking(url, heard=lambda _: True))
    assert sent.is_set()
    assert exchange.chunks[0].at - (exchange.times.written or 0) < 0.05


async def test_events_that_share_a_read_are_counted() -> None:
    """Two that the server wrote at once have one time, and the exchange says so."""
    server = says(OK + b"Connection: close\r\n\r\n", b"data: 1\n\ndata: 2\n\n", b"data: 3\n\n")
    async with serving(server) as url, open_transport() as transport:
        exchange = await transport.exchange(asking(url, heard=lambda _: False))
    assert exchange.merged_reads >= 1
