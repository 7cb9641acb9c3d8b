"""/probe as blackbox_exporter has it: its names, hostname, dialogues, and what it may not reach."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

import exporter.checks  # noqa: F401 - registers the checks
from exporter.access import Tls
from exporter.blackbox.ciphers import suite_name, version_name
from exporter.debug import text as debug_text
from exporter.on_demand import Answer, OnDemand, RefusedError, prepare, run
from exporter.peer import peer_of
from exporter.probes.http import Http
from exporter.probes.tcp import Tcp
from exporter.target import Target
from exporter.transport import open_transport
from tests.exporter.servers import OK, Behaviour, request_of, says, serving, silent
from tests.toolkit.authority import Authority

ANY = ("127.0.0.1", "localhost")


async def asked(module: Target, query: Mapping[str, str]) -> tuple[OnDemand, Answer]:
    """Ask /probe for one run of a module named m."""
    request = prepare({"m": module}, {"module": "m", **query}, None)
    async with open_transport() as transport:
        return request, await run(request, transport)


async def gauges(
    module: Target, behaviour: Behaviour, path: str = "", **query: str
) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Serve the behaviour, ask once; return the samples by their names."""
    async with serving(behaviour) as url:
        place = url if module.scheme == "http" else url.removeprefix("http://")
        _, answer = await asked(module, {"target": place + path, **query})
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in parse(answer.exposition.decode())
    }


def http(**fields: Any) -> Http:
    """Make a module of the kind http."""
    return Http(**{"allow_targets": ANY, "timeout": 2.0, **fields})


async def test_names_of_http() -> None:
    """What blackbox_exporter tells of an answer over HTTP is there under its names."""
    body = b"Content-Length: 4\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\nsaid"
    found = await gauges(http(checks=[{"regex": "x"}]), says(OK + body))
    assert found["probe_success"] == [({}, 0)]
    assert found["probe_failed_due_to_regex"] == [({}, 1)]
    assert found["probe_http_status_code"] == [({}, 200)]
    assert found["probe_http_version"] == [({}, 1.1)]
    assert found["probe_http_content_length"] == [({}, 4)]
    assert found["probe_http_uncompressed_body_length"] == [({}, 4)]
    assert found["probe_http_last_modified_timestamp_seconds"] == [({}, 1445412480)]
    assert found["probe_http_redirects"] == [({}, 0)]
    assert found["probe_http_ssl"] == [({}, 0)]
    assert found["probe_timeout_seconds"] == [({}, 2)]
    assert found["probe_ip_protocol"] == [({}, 4)]
    assert found["probe_ip_addr_hash"] == [({}, 3668918509)]
    phases = [labels["phase"] for labels, _ in found["probe_http_duration_seconds"]]
    assert phases == ["resolve", "connect", "tls", "processing", "transfer"]
    assert not [name for name in found if name.startswith("probe_ssl")]


async def test_redirects_are_counted_with_their_time() -> None:
    """The phases of a hop that redirected are added to the last one's."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = (await request_of(reader)).startswith(b"GET /a ")
        answer = b"HTTP/1.1 302 Found\r\nLocation: /b\r\n" if first else OK
        writer.write(answer + b"Content-Length: 0\r\n\r\n")
        await writer.drain()

    async with serving(behave) as url:
        _, answer = await asked(http(follow_redirects=True), {"target": f"{url}/a"})
    exchange = answer.made.exchange
    assert exchange is not None
    assert exchange.redirects == 1
    assert "connect" in exchange.redirected
    assert b"probe_http_redirects 1.0" in answer.exposition


async def test_names_of_tcp() -> None:
    """A dialogue has no names of HTTP; the line that did not come is the pattern's fault."""

    async def ends(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 no\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    module = Tcp(allow_targets=ANY, timeout=2.0, query_response=[{"expect": "^220"}])
    found = await gauges(module, ends)
    assert found["probe_success"] == [({}, 0)]
    assert found["probe_failed_due_to_regex"] == [({}, 1)]
    assert found["probe_ip_protocol"] == [({}, 4)]
    assert not [name for name in found if name.startswith("probe_http")]


async def test_end_of_line_is_none_of_a_pattern_s() -> None:
    """`$` matches where the line ends, as blackbox_exporter reads it."""

    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read()

    module = Tcp(allow_targets=ANY, timeout=2.0, query_response=[{"expect": "^220 ready$"}])
    found = await gauges(module, greets)
    assert found["probe_success"] == [({}, 1)]


async def test_hostname_is_asked_for() -> None:
    """The Host header has the name that the request gives, on that host alone."""
    heard: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await request_of(reader))
        writer.write(OK + b"Content-Length: 0\r\n\r\n")
        await writer.drain()

    found = await gauges(http(), behave, hostname="b.example:81")
    assert found["probe_success"] == [({}, 1)]
    assert b"\r\nHost: b.example:81\r\n" in heard[0]


async def test_hostname_does_not_follow_a_redirect_elsewhere() -> None:
    """Another origin is asked under its own name."""
    heard: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await request_of(reader))
        writer.write(OK + b"Content-Length: 0\r\n\r\n")
        await writer.drain()

    async with serving(behave) as other:
        moved = b"HTTP/1.1 307 T\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n" % other.encode()
        await gauges(http(follow_redirects=True), says(moved), hostname="b.example")
    assert b"b.example" not in heard[0]


@pytest.mark.parametrize("hostname", ["a b", "a/b", "http://a", "a\r\nX: y", "x" * 300])
def test_hostname_that_is_none_is_refused(hostname: str) -> None:
    """Nothing but a host and a port gets into a header."""
    query = {"module": "m", "target": "127.0.0.1", "hostname": hostname}
    with pytest.raises(RefusedError, match="hostname"):
        prepare({"m": http()}, query, None)


def test_hostname_of_the_module_stands() -> None:
    """A request cannot overrule the name that the module has, but may repeat it."""
    module, query = http(hostname="a.example"), {"module": "m", "target": "127.0.0.1"}
    assert prepare({"m": module}, {**query, "hostname": "a.example"}, None).hostname == "a.example"
    with pytest.raises(RefusedError, match="hostname"):
        prepare({"m": module}, {**query, "hostname": "b.example"}, None)


def test_module_is_http_2xx_where_none_is_named() -> None:
    """As blackbox_exporter has it."""
    request = prepare({"http_2xx": http()}, {"target": "127.0.0.1"}, None)
    assert request.target.name == "http_2xx"


@pytest.mark.parametrize(
    ("target", "said"),
    [("127.0.0.1", "no port"), ("127.0.0.2:1", "allow_targets"), ("udp://127.0.0.1:1", "target")],
)
def test_targets_of_tcp_are_checked(target: str, said: str) -> None:
    """A kind reads its addresses in its own form, and only hosts that are allowed."""
    with pytest.raises(RefusedError, match=said):
        prepare({"m": Tcp(allow_targets=ANY)}, {"module": "m", "target": target}, None)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
    ],
)
async def test_redirect_to_metadata_is_refused(location: str) -> None:
    """Whoever redirects to a cloud's metadata gets nothing asked there."""
    head = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % location.encode()
    found = await gauges(http(follow_redirects=True, allow_targets=["*"]), says(head))
    assert found["probe_failure_reason"] == [({"reason": "forbidden"}, 1)]
    assert found["probe_http_status_code"] == [({}, 0)]


@pytest.mark.parametrize("kind", [Http, Tcp])
@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "100.100.100.200"])
async def test_name_that_resolves_to_metadata_is_refused(
    kind: type[Target], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A harmless name is judged by the address that it has."""

    async def resolve(*_: Any, **__: Any) -> Any:
        return [(2, 1, 6, "", (address, 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    module = kind(allow_targets=("*",), timeout=2.0)
    _, answer = await asked(module, {"target": "innocent.example:80"})
    assert answer.made.reason == "forbidden"
    assert b"probe_success 0.0" in answer.exposition


def _context(authority: Authority) -> ssl.SSLContext:
    pair = authority.sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return context


async def test_certificate_is_described(tmp_path: Path) -> None:
    """Dates, names and versions of TLS are told as blackbox_exporter tells them."""
    authority = Authority(tmp_path)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK + b"Content-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=_context(authority))
    async with server:
        port = server.sockets[0].getsockname()[1]
        module = http(tls=Tls(ca_file=authority.ca))
        request, found = await asked(module, {"target": f"https://127.0.0.1:{port}/"})
    text = found.exposition.decode()
    names = {family.name: family.samples for family in parse(text)}
    assert names["probe_http_ssl"][0].value == 1
    assert names["probe_tls_version_info"][0].labels == {"version": "TLS 1.3"}
    info = names["probe_ssl_last_chain_info"][0].labels
    assert (info["subject"], info["issuer"]) == ("CN=server", "CN=ca")
    assert info["subjectalternative"] == "localhost"
    expiry = names["probe_ssl_earliest_cert_expiry"][0].value
    assert names["probe_ssl_last_chain_expiry_timestamp_seconds"][0].value <= expiry
    assert "certificate: CN=server" in debug_text(request, found)


async def test_debug_shows_what_was_sent() -> None:
    """The request is there with its headers, each piece of the answer with its time."""
    async with serving(says(OK + b"\r\n", b"pie", b"ces", every_seconds=0.01)) as url:
        module = http(method="POST", body="a question", headers={"X-Plain": "b", "X-Key": "hidden"})
        request, answer = await asked(module, {"target": url})
    text = debug_text(request, answer)
    assert f"POST {url}" in text
    assert "X-Plain: b" in text
    assert "a question" in text
    assert "bytes\nafter" in text
    assert "hidden" not in text


async def test_debug_of_a_target_that_is_not_there() -> None:
    """Nothing came: what is known is told."""
    async with serving(silent) as url:
        pass
    request, answer = await asked(http(), {"target": url})
    text = debug_text(request, answer)
    assert "reason: connect" in text
    assert "status: -" in text


@pytest.mark.parametrize(
    ("openssl", "iana"),
    [
        ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        ("ECDHE-RSA-AES256-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
        ("ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
        ("AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"),
        ("SOMETHING-ELSE", "SOMETHING-ELSE"),
    ],
)
def test_suites_have_iana_s_names(openssl: str, iana: str) -> None:
    """OpenSSL's names of TLS 1.2 become those that Go has."""
    assert suite_name(openssl) == iana


def test_unknown_version_is_said_to_be() -> None:
    """A version that nobody knows yet has the name that blackbox_exporter gives."""
    assert version_name("TLSv1.9") == "unknown"


def test_peer_without_tls_has_no_certificate() -> None:
    """An address is all that is known then."""
    peer = peer_of("127.0.0.1", None)
    assert (peer.address, peer.tls_version, peer.certificate) == ("127.0.0.1", "", None)
