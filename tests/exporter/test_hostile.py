"""Endpoints that misbehave: each run ends in time, with a reason, and raises nothing."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from exporter.canary import Canary
from exporter.probes.http import Http
from exporter.probes.openai_chat import OpenAIChat
from exporter.run import Run, perform
from exporter.target import Reason
from exporter.transport import HttpTransport, open_transport
from tests.exporter.servers import (
    DONE,
    GARBAGE,
    OK,
    STREAM,
    Behaviour,
    delta,
    event,
    finished,
    forever,
    gibibyte,
    gzip_bomb,
    resets,
    says,
    serving,
    silent,
    speaks_first,
)

TIMEOUT_SECONDS = 0.4
PATIENCE_SECONDS = 5.0

# name: (behaviour, reason of the kind http, reason of the kind openai_chat)
HOSTILE: dict[str, tuple[Behaviour, Reason, Reason]] = {
    "garbage": (says(GARBAGE), Reason.PROTOCOL, Reason.PROTOCOL),
    "not http": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), Reason.PROTOCOL, Reason.PROTOCOL),
    "silent": (silent, Reason.TIMEOUT_TOTAL, Reason.TIMEOUT_FIRST_TOKEN),
    "resets": (resets, Reason.PROTOCOL, Reason.PROTOCOL),
    "closes at once": (says(), Reason.PROTOCOL, Reason.PROTOCOL),
    "closes in the status line": (says(b"HTTP/1.1 20"), Reason.PROTOCOL, Reason.PROTOCOL),
    "closes in the headers": (says(OK + b"Content-Le"), Reason.PROTOCOL, Reason.PROTOCOL),
    "never ends": (
        forever(OK + b"Content-Type: text/event-stream\r\n\r\n", b": ping\n\n", 0.02),
        Reason.TIMEOUT_TOTAL,
        Reason.TIMEOUT_FIRST_TOKEN,
    ),
    "1 GiB": (gibibyte, Reason.TOO_LARGE, Reason.TOO_LARGE),
    "endless at full speed": (
        forever(OK + b"\r\n", b"y" * (1 << 16)),
        Reason.TOO_LARGE,
        Reason.TOO_LARGE,
    ),
    "gzip bomb": (gzip_bomb(), Reason.TOO_LARGE, Reason.TOO_LARGE),
    "damaged gzip": (
        says(OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "unknown encoding": (
        says(OK + b"Content-Encoding: br\r\nContent-Length: 4\r\n\r\nabcd"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "slow headers": (
        forever(OK, b"X-A: b\r\n", 0.05),
        Reason.TIMEOUT_TOTAL,
        Reason.TIMEOUT_FIRST_TOKEN,
    ),
    "endless headers": (forever(OK, b"X-A: b\r\n" * 64), Reason.PROTOCOL, Reason.PROTOCOL),
    "one endless header": (forever(OK + b"X: ", b"a" * 4096), Reason.PROTOCOL, Reason.PROTOCOL),
    "length too long": (
        says(OK + b"Content-Length: 100\r\n\r\nshort"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "length negative": (
        says(OK + b"Content-Length: -5\r\n\r\nshort"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "length twice": (
        says(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "length no number": (
        says(OK + b"Content-Length: many\r\n\r\nab"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "damaged chunks": (
        says(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "chunks without end": (
        says(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "NUL in a header": (
        says(OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\nok"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "redirects": (
        says(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"),
        Reason.REDIRECT,
        Reason.REDIRECT,
    ),
    "401": (says(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), Reason.AUTH, Reason.AUTH),
    "404": (
        says(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        Reason.HTTP_4XX,
        Reason.HTTP_4XX,
    ),
    "429": (
        says(b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"),
        Reason.RATE_LIMITED,
        Reason.RATE_LIMITED,
    ),
    "503": (
        says(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
        Reason.HTTP_5XX,
        Reason.HTTP_5XX,
    ),
    "status 999": (
        says(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "interim answers without end": (
        forever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 64),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "a hundred thousand headers": (
        says(OK + b"".join(b"X-%d: y\r\n" % number for number in range(100_000)) + b"\r\n"),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
    "a header's name without end": (forever(OK, b"x" * 4096), Reason.PROTOCOL, Reason.PROTOCOL),
    "header by header": (
        forever(OK, b"X: y\r\n", 0.02),
        Reason.TIMEOUT_TOTAL,
        Reason.TIMEOUT_FIRST_TOKEN,
    ),
    "switching protocols": (
        says(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + GARBAGE),
        Reason.PROTOCOL,
        Reason.PROTOCOL,
    ),
}

# What is an answer for the kind http, and none for openai_chat.
STREAMS: dict[str, tuple[Behaviour, Reason | None]] = {
    "nothing in the body": (says(STREAM), Reason.EMPTY),
    "garbage in the body": (says(STREAM + GARBAGE), Reason.EMPTY),
    "a page": (says(OK + b"Content-Length: 6\r\n\r\n<html>"), Reason.BAD_JSON),
    "NUL bytes": (says(OK + b"Content-Length: 4\r\n\r\n\0\0\0\0"), Reason.BAD_JSON),
    "other JSON": (says(OK + b'Content-Length: 7\r\n\r\n{"a":1}'), Reason.SCHEMA),
    "a list": (says(OK + b"Content-Length: 2\r\n\r\n[]"), Reason.SCHEMA),
    "events of garbage": (says(STREAM + event(b"\0\xff{")), Reason.BAD_JSON),
    "deep JSON": (says(STREAM + event(b"[" * 100_000)), Reason.BAD_JSON),
    "odd types": (
        says(STREAM + event(b'{"choices":[{"delta":{"content":[1,{"text":2}]}}],"usage":7}')),
        Reason.STREAM_TRUNCATED,
    ),
    "error in the stream": (
        says(STREAM + delta("Par") + event(b'{"error":{"message":"boom"}}') + DONE),
        Reason.STREAM_ERROR,
    ),
    "error object of vLLM": (
        says(STREAM + event(b'{"object":"error","message":"boom"}')),
        Reason.STREAM_ERROR,
    ),
    "no end": (says(STREAM + delta("Paris")), Reason.STREAM_TRUNCATED),
    "cut in an event": (says(STREAM + delta("Paris") + b'data: {"cho'), Reason.STREAM_TRUNCATED),
    "broken after a token": (
        says(
            OK + b"Transfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n",
            b"%x\r\n%s\r\n" % (len(delta("Paris")), delta("Paris")),
        ),
        Reason.STREAM_TRUNCATED,
    ),
    "only a role": (says(STREAM + delta("", "content") + finished() + DONE), Reason.EMPTY),
    "thinks until the limit": (
        says(STREAM + delta("hmm", "reasoning_content") + finished("length") + DONE),
        Reason.CUT_OFF,
    ),
    "tokens, then silence": (
        forever(STREAM + delta("Paris"), b"", 0.05),
        Reason.STALL,
    ),
    "tokens, then pings": (
        forever(STREAM + delta("Paris"), b": ping\n\n", 0.02),
        Reason.STALL,
    ),
    "a byte at a time": (
        says(*(bytes([byte]) for byte in STREAM + delta("Paris") + DONE)),
        None,
    ),
    "[DONE] twice": (says(STREAM + delta("Paris") + finished() + DONE + DONE), None),
    "tokens after [DONE]": (says(STREAM + delta("Paris") + finished() + DONE + delta("!")), None),
    "half a character": (
        says(
            STREAM
            + delta("Paris")
            + event(b'{"choices":[{"delta":{"content":"\xc3"}}]}')
            + finished()
            + DONE
        ),
        None,
    ),
    "NaN for a count": (
        says(STREAM + delta("Paris") + event(b'{"choices":[],"usage":{"completion_tokens":NaN}}')),
        Reason.BAD_JSON,
    ),
    "held open after the end": (forever(STREAM + delta("Paris") + DONE, b": ping\n\n", 0.02), None),
    "no [DONE], but finished": (says(STREAM + delta("Paris") + finished()), None),
    "no last line end": (says(STREAM + delta("Paris") + b"data: [DONE]"), None),
    "the marker in the text": (says(STREAM + delta("[DONE]") + finished() + DONE), None),
}


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    """Open a transport for one test."""
    async with open_transport() as opened:
        yield opened


def timeout_for(reason: Reason | None) -> float:
    """Return a short timeout where it is waited for, else one that a busy machine can hold."""
    waited_for = {Reason.TIMEOUT_TOTAL, Reason.TIMEOUT_FIRST_TOKEN}
    return TIMEOUT_SECONDS if reason in waited_for else PATIENCE_SECONDS


async def run_http(
    transport: HttpTransport, url: str, timeout_seconds: float = TIMEOUT_SECONDS
) -> Run:
    """Ask an endpoint as the kind http."""
    target = Http(name="t", url=url, timeout=timeout_seconds)
    return await perform(target, target.questions()[0], transport)


async def run_chat(
    transport: HttpTransport, url: str, timeout_seconds: float = TIMEOUT_SECONDS
) -> Run:
    """Ask an endpoint as the kind openai_chat."""
    target = OpenAIChat(
        name="t",
        url=url,
        timeout=timeout_seconds,
        model="m",
        stall=0.15,
        canaries=(Canary(name="c", prompt="What is the capital of France?"),),
    )
    return await perform(target, target.questions()[0], transport)


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_endpoint_gives_http_a_reason(transport: HttpTransport, name: str) -> None:
    """Whatever the endpoint does, the kind http names it, in time."""
    behaviour, reason, _ = HOSTILE[name]
    async with serving(behaviour) as url:
        run = await asyncio.wait_for(run_http(transport, url, timeout_for(reason)), 30)
    assert (run.reason, bool(run.detail)) == (reason, True)


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_endpoint_gives_chat_a_reason(transport: HttpTransport, name: str) -> None:
    """Whatever the endpoint does, the kind openai_chat names it, in time."""
    behaviour, _, reason = HOSTILE[name]
    async with serving(behaviour) as url:
        run = await asyncio.wait_for(run_chat(transport, url, timeout_for(reason)), 30)
    assert (run.reason, bool(run.detail)) == (reason, True)


@pytest.mark.parametrize("name", STREAMS)
async def test_odd_stream_is_named(transport: HttpTransport, name: str) -> None:
    """A 200 that is no whole answer has its own reason; a whole one in odd dress has none."""
    behaviour, reason = STREAMS[name]
    async with serving(behaviour) as url:
        run = await asyncio.wait_for(run_chat(transport, url, timeout_for(reason)), 30)
    assert run.reason == reason, run.detail


async def test_refused_connection_is_connect(transport: HttpTransport) -> None:
    """A port nobody listens on is the reason connect."""
    assert (await run_http(transport, "http://127.0.0.1:1")).reason is Reason.CONNECT


async def test_unknown_name_is_dns(transport: HttpTransport) -> None:
    """A name that does not resolve is the reason dns."""
    run = await run_http(transport, "http://nowhere.invalid")
    assert run.reason in {Reason.DNS, Reason.TIMEOUT_CONNECT}


async def test_plain_server_asked_for_tls_is_tls(transport: HttpTransport) -> None:
    """A server without TLS on an https address is the reason tls."""
    async with serving(speaks_first) as url:
        run = await run_http(transport, url.replace("http:", "https:"))
    assert run.reason is Reason.TLS


async def test_gibibyte_is_not_kept(transport: HttpTransport) -> None:
    """A huge answer costs no more memory than a few times the limit."""
    tracemalloc.start()
    try:
        async with serving(gibibyte) as url:
            await run_http(transport, url)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 << 20


async def test_hostile_endpoints_at_once_leave_the_loop_free(transport: HttpTransport) -> None:
    """All of them at the same time end within their timeouts, and no task is left."""
    before = asyncio.all_tasks()
    begin = time.monotonic()
    for behaviour, _, _ in HOSTILE.values():
        async with serving(behaviour) as url:
            await asyncio.gather(*(run_http(transport, url) for _ in range(3)))
    assert time.monotonic() - begin < 60
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks() - before) == 0


async def test_metadata_address_is_forbidden(transport: HttpTransport) -> None:
    """A redirect to a cloud's metadata address is refused before anything is sent."""
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
    async with serving(says(head + b"http://169.254.169.254/latest/\r\n\r\n")) as url:
        target = Http(name="t", url=url, timeout=1, follow_redirects=True)
        run = await perform(target, target.questions()[0], transport)
    assert run.reason is Reason.FORBIDDEN


async def test_redirects_in_a_circle_end(transport: HttpTransport) -> None:
    """A circle of redirects is given up after a few."""
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /again\r\n\r\n"
    async with serving(says(head)) as url:
        target = Http(name="t", url=url, timeout=2, follow_redirects=True)
        run = await perform(target, target.questions()[0], transport)
    assert run.reason is Reason.REDIRECT
