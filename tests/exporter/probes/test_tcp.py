"""The kind tcp: connecting, dialogues, and TLS from the start or later."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import exporter.checks  # noqa: F401 - registers the checks
from exporter.access import Tls
from exporter.probes.tcp import Tcp
from exporter.run import Run, perform
from exporter.target import Reason
from exporter.transport import open_transport
from tests.exporter.servers import Behaviour, serving, silent
from tests.toolkit.authority import Authority

MAIL = [{"expect": "^220 ", "send": "QUIT"}, {"expect": "^221 "}]


async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak first, as mail servers do, and answer what is said."""
    writer.write(b"note: hello\n220 ready\n")
    assert await reader.readline() == b"QUIT\n"
    writer.write(b"221 bye\n")
    await writer.drain()
    await reader.read()


def sends(*pieces: bytes) -> Behaviour:
    """Send these pieces and close."""

    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    return behave


async def ran(behaviour: Behaviour, **fields: Any) -> Run:
    """Serve the behaviour and run once against it."""
    async with serving(behaviour) as url, open_transport() as transport:
        plain = url.replace("http:", "tcp:")
        target = Tcp(**{"name": "t", "url": plain, "timeout": 2.0, **fields})
        return await perform(target, target.questions()[0], transport)


async def test_open_port_is_enough() -> None:
    """Without a dialogue, a connection is right, and has a time."""
    run = await ran(silent)
    assert run.reason is None, run.detail
    assert run.exchange is not None
    assert "connect" in run.exchange.times.phases()


async def test_dialogue_is_followed() -> None:
    """Lines before the expected one are passed over, and what came is the answer."""
    run = await ran(greets, query_response=MAIL, checks=[{"contains": "bye"}])
    assert run.reason is None, run.detail
    assert run.observation.answer == "note: hello\n220 ready\n221 bye\n"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (sends(b"554 no\n"), Reason.WRONG_ANSWER),
        (sends(), Reason.WRONG_ANSWER),
        (sends(b"220 half a dialogue\n"), Reason.WRONG_ANSWER),
        (sends(b"x" * 100_000), Reason.TOO_LARGE),
        (sends(*[b"x" * 1000 + b"\n"] * 200), Reason.TOO_LARGE),
        (silent, Reason.TIMEOUT_TOTAL),
    ],
)
async def test_dialogue_that_fails_has_its_reason(behaviour: Behaviour, reason: Reason) -> None:
    """Another line, an end, too much, and silence are told apart."""
    run = await ran(behaviour, query_response=MAIL, timeout=0.3, response_limit_bytes=100_000)
    assert run.reason is reason, run.detail


async def test_closed_port_and_unknown_name() -> None:
    """Neither raises."""
    async with serving(silent) as url:
        pass
    async with open_transport() as transport:
        for address, reason in (
            (url.replace("http:", "tcp:"), Reason.CONNECT),
            ("tcp://nowhere.invalid:25", Reason.DNS),
            ("tcp://[::ffff:169.254.169.254]:80", None),
        ):
            target = Tcp(name="t", url=address, timeout=0.5, allow_targets=("x",))
            run = await perform(target, target.questions()[0], transport)
            assert run.reason is (reason or Reason.FORBIDDEN), run.detail


@pytest.mark.parametrize(
    "url", ["tcp://host", "ftp://host:1", "tcp://u:p@host:1", "tcp://:1", "tcp://h:99999"]
)
def test_address_needs_host_and_port(url: str) -> None:
    """What is no address is refused when the file is read."""
    with pytest.raises(ValidationError):
        Tcp(url=url)


def test_step_must_say_something() -> None:
    """An empty step, a pattern that is none, TLS twice."""
    wrong: list[list[dict[str, Any]]] = [[{}], [{"expect": "("}], [{"starttls": True}] * 2]
    for steps in wrong:
        with pytest.raises(ValidationError):
            Tcp(query_response=steps)


async def test_pattern_takes_linear_time() -> None:
    """RE2 does not backtrack, whatever the pattern and the line."""
    run = await ran(
        sends(b"a" * 8_000 + b"!\n"), query_response=[{"expect": "^(a+)+$"}], timeout=1.0
    )
    assert run.reason is Reason.WRONG_ANSWER


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("trusted", [False, True])
async def test_tls_from_the_start_or_later(
    tmp_path: Path,
    *,
    late: bool,
    trusted: bool,
) -> None:
    """The handshake is verified and timed, at once or after STARTTLS."""
    authority = Authority(tmp_path)
    pair = authority.sign("server", "inner.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if late:
            writer.write(b"220 ready\n")
            await reader.readline()
            writer.write(b"220 go on\n")
            with suppress(ssl.SSLError, ConnectionError):
                await writer.start_tls(context)
        with suppress(ConnectionError, ssl.SSLError):
            writer.write(b"250 safe\n")
            await writer.drain()
            await reader.read()
        writer.transport.abort()

    steps: list[dict[str, Any]] = [{"expect": "^250"}]
    if late:
        greeted = {"expect": "^220", "send": "STARTTLS"}
        steps = [greeted, {"expect": "^220", "starttls": True}, *steps]
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=None if late else context)
    async with server, open_transport() as transport:
        port = server.sockets[0].getsockname()[1]
        named = "inner.example" if trusted else "other.example"
        target = Tcp(
            name="t",
            url=f"{'tcp' if late else 'tls'}://127.0.0.1:{port}",
            timeout=2.0,
            tls=Tls(ca_file=authority.ca, server_name=named),
            query_response=steps,
        )
        run = await perform(target, target.questions()[0], transport)
        await asyncio.sleep(0.05)  # let the server's side of the connection end
    assert run.reason is (None if trusted else Reason.TLS), run.detail
    assert run.exchange is not None
    if trusted:
        assert "tls" in run.exchange.times.phases()
        assert (run.exchange.certificate_expiry_timestamp_seconds or 0) > 1.7e9
