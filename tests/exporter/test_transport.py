"""The measuring instrument: phases, TLS, redirects, and whom it refuses."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import pytest

from exporter.access import Auth, Tls
from exporter.address import is_forbidden, literal
from exporter.http_terms import retry_after_seconds
from exporter.probes.http import Http
from exporter.run import perform
from exporter.target import Exchange, Reason, Times
from exporter.transport import Request, open_transport
from tests.exporter.servers import OK, request_of, says, serving
from tests.toolkit.authority import Authority
from toolkit.secrets import Secret


def asking(url: str, **fields: Any) -> Request:
    """Make a request."""
    usual: dict[str, Any] = {"method": "GET", "timeout_seconds": 2.0, "limit_bytes": 1 << 20}
    return Request(url=url, **(usual | fields))


async def test_phases_follow_one_another() -> None:
    """Resolve, connect, processing and transfer are timed, in this order."""
    late = says(OK + b"Content-Length: 4\r\n\r\n", b"ab", b"cd", every_seconds=0.05)
    async with serving(late) as url, open_transport() as transport:
        exchange = await transport.exchange(asking(url.replace("127.0.0.1", "localhost")))
    assert exchange.complete
    assert exchange.body == b"abcd"
    phases = exchange.times.phases()
    assert list(phases) == ["resolve", "connect", "processing", "transfer"]
    assert phases["transfer"] >= 0.05
    assert sum(phases.values()) <= exchange.times.end - exchange.times.begin + 0.001


async def test_time_to_write_includes_the_body() -> None:
    """The request counts as written after its body."""
    async with (
        serving(says(OK + b"Content-Length: 0\r\n\r\n")) as url,
        open_transport() as transport,
    ):
        exchange = await transport.exchange(asking(url, method="POST", body=b"x" * 100))
    assert exchange.written
    assert exchange.failure is None


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make an authority of our own."""
    return Authority(tmp_path)


async def tls_exchange(authority: Authority, tls: Tls | None) -> Exchange:
    """Ask a TLS server that the authority signed."""
    pair = authority.sign("server", "inner.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK + b"Content-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server, open_transport() as transport:
        port = server.sockets[0].getsockname()[1]
        exchange = await transport.exchange(asking(f"https://127.0.0.1:{port}/", tls=tls))
        await asyncio.sleep(0.05)  # let the server's side of the connection end
    return exchange


async def test_tls_has_its_own_phase_and_the_certificate_its_expiry(authority: Authority) -> None:
    """Connecting and the handshake are told apart; the expiry is the certificate's."""
    tls = Tls(ca_file=authority.ca, server_name="inner.example")
    exchange = await tls_exchange(authority, tls)
    assert exchange.failure is None, exchange.detail
    assert list(exchange.times.phases()) == ["connect", "tls", "processing", "transfer"]
    assert (exchange.certificate_expiry_timestamp_seconds or 0) > 1.7e9


@pytest.mark.parametrize("named", [None, "other.example"])
async def test_untrusted_certificate_is_tls(authority: Authority, named: str | None) -> None:
    """An unknown authority, or another name than the one to verify, is the reason tls."""
    tls = Tls(ca_file=authority.ca, server_name=named) if named else None
    exchange = await tls_exchange(authority, tls)
    assert exchange.failure is Reason.TLS
    assert exchange.detail.startswith("certificate: ")


async def test_missing_ca_file_is_our_own_fault(authority: Authority, tmp_path: Path) -> None:
    """Without its CA file a run says nothing of the endpoint."""
    exchange = await tls_exchange(authority, Tls(ca_file=tmp_path / "none.pem"))
    assert exchange.failure is Reason.INTERNAL


async def test_redirect_is_followed_without_credentials() -> None:
    """Another origin gets no credential, in whatever header; the answer there counts."""
    seen: list[bytes] = []

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(OK + b"Content-Length: 4\r\n\r\nhere")
        await writer.drain()

    auth = Auth(bearer=Secret.from_environ("T", {"T": "t0ken"}))
    async with serving(target) as there, open_transport() as transport:
        head = f"HTTP/1.1 302 Found\r\nLocation: {there}/x\r\nContent-Length: 0\r\n\r\n"
        async with serving(says(head.encode())) as url:
            headers = {"X-Team": Secret.from_environ("T", {"T": "t3am"}), "X-Api-Key": "k3y"}
            probe = Http(name="t", url=url, follow_redirects=True, auth=auth, headers=headers)
            run = await perform(probe, probe.questions()[0], transport)
    assert (run.reason, run.observation.answer) == (None, "here")
    assert not [word for word in (b"t0ken", b"t3am", b"k3y") if word in seen[0]]
    assert b"authorization" not in seen[0].lower()


async def test_credentials_are_sent_and_files_read_again(tmp_path: Path) -> None:
    """A token's file is read at each run, so that rotation needs no reload."""
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(OK + b"Content-Length: 0\r\n\r\n")
        await writer.drain()

    token = tmp_path / "token"
    token.write_text("first\n")
    auth = Auth(bearer=Secret.from_file(token))
    async with serving(answer) as url, open_transport() as transport:
        probe = Http(name="t", url=url, auth=auth)
        await perform(probe, probe.questions()[0], transport)
        token.write_text("second!\n")
        await perform(probe, probe.questions()[0], transport)
        token.unlink()
        run = await perform(probe, probe.questions()[0], transport)
    assert [b"Bearer first" in seen[0], b"Bearer second!" in seen[1]] == [True, True]
    assert run.reason is Reason.INTERNAL


@pytest.mark.parametrize(
    ("host", "forbidden"),
    [
        ("169.254.169.254", True),
        ("[::ffff:169.254.169.254]", True),
        ("[64:ff9b::a9fe:a9fe]", True),
        ("[2002:a9fe:a9fe::]", True),
        ("fe80::1", True),
        ("fd00:ec2::254", True),
        ("100.100.100.200", True),
        ("0.0.0.0", True),
        ("224.0.0.1", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("::1", False),
    ],
)
def test_forbidden_addresses(host: str, forbidden: bool) -> None:  # noqa: FBT001 - a column
    """Link-local, metadata, multicast and unspecified addresses are, in any dress."""
    address = literal(host)
    assert isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)
    assert is_forbidden(address) is forbidden


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "169.254.43518"])
async def test_odd_spellings_of_an_address_are_refused_after_resolution(host: str) -> None:
    """What the system's resolver makes of a spelling is what is judged."""
    async with open_transport() as transport:
        exchange = await transport.exchange(asking(f"http://{host}/"))
    assert exchange.failure in {Reason.FORBIDDEN, Reason.DNS}


async def test_named_address_is_not_refused() -> None:
    """An address that the configuration writes out may be asked."""
    async with open_transport() as transport:
        request = asking(
            "http://169.254.1.1/", named=frozenset({"169.254.1.1"}), timeout_seconds=0.1
        )
        exchange = await transport.exchange(request)
    assert exchange.failure is not Reason.FORBIDDEN


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "7", 7),
        (503, "Thu, 01 Jan 1970 00:01:40 GMT", 60),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 0),
        (429, "soon", None),
        (429, "-5", None),
        (429, "9" * 400, 999_999_999),
        (500, "7", None),
    ],
)
def test_retry_after(status: int, text: str, seconds: float | None) -> None:
    """Seconds or a date, of a 429 or 503 only; nonsense is none."""
    exchange = Exchange(times=Times(begin=0, end=0), status=status, headers={"retry-after": text})
    assert retry_after_seconds(exchange, now=lambda: 40.0) == seconds
