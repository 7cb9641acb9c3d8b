"""Every fault of the API that a network or a service can have: a report in time for each."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from lab.mistral.server import Persona
from responder.investigation.analyst import AnalystError
from responder.investigation.evidence import CauseKind
from responder.investigation.mistral import MistralAnalyst
from responder.investigation.model_settings import MistralSettings
from tests.responder.investigation.briefs import brief
from tests.responder.investigation.desk import MODEL, Seat, report
from tests.responder.investigation.laid import Prometheus, framed, means, row
from tests.responder.investigation.staging import staged

BODY = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {"role": "assistant", "content": "", "tool_calls": []},
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    + f"Content-Length: {len(BODY)}\r\n\r\n".encode()
    + BODY
)
DEADLINE_SECONDS = 0.4
SLACK_SECONDS = 20.0
"""On a busy machine; what does not end by itself takes for ever."""
STATUSES = (400, 403, 408, 500, 502, 503, 504, 529)
WISHES = ("0", "1", "86400", "", "soon", None)


@asynccontextmanager
async def stopping(sent: bytes, *, drops: bool) -> AsyncIterator[str]:
    """Serve so much of a reply, then nothing for ever, or the end of the connection."""
    kept: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        if drops:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in kept:
            writer.close()
        await server.wait_closed()


@pytest.mark.parametrize("drops", [False, True], ids=["hangs", "drops"])
async def test_a_reply_may_stop_at_any_byte(drops: bool) -> None:  # noqa: FBT001 - pytest's way
    """In the status line, in a header, between, in the body: it ends at the deadline."""
    places = range(0, len(REPLY), 7)

    async def fails_at(place: int) -> float:
        async with stopping(REPLY[:place], drops=drops) as url:
            settings = MistralSettings.model_validate(
                {"server_url": url, "model": MODEL, "deadline": "400ms"}
            )
            analyst = MistralAnalyst(settings)
            await analyst.warm_up()
            began = time.monotonic()
            with pytest.raises(AnalystError):
                await analyst.analyse(brief())
            took = time.monotonic() - began
            await analyst.aclose()
            return took

    at_once = asyncio.Semaphore(8)

    async def one(place: int) -> float:
        async with at_once:
            return await fails_at(place)

    took = await asyncio.gather(*(one(place) for place in places))
    assert max(took) < DEADLINE_SECONDS + SLACK_SECONDS


@pytest.mark.parametrize(
    "persona",
    [
        *(Persona(name=name) for name in ("hang", "trickle", "cut", "garbage", "truncated")),
        *(Persona(name=name) for name in ("empty", "flood", "wrong_type", "malformed", "odd_ids")),
        *(Persona(name="stall", after_bytes=size) for size in (0, 1, 100, 1_000_000)),
        *(
            Persona(name="500", status=status)
            for status in (400, 403, 408, 500, 502, 503, 504, 529)
        ),
        *(
            Persona(name="429", retry_after=after)
            for after in ("0", "1", "86400", "", "soon", None)
        ),
        *(Persona(name=name) for name in ("stubborn", "intruder", "restless", "lazy", "inventive")),
    ],
    ids=lambda each: f"{each.name}-{each.status}-{each.retry_after}-{each.after_bytes}",
)
async def test_every_fault_ends_in_a_report(seat: Seat, persona: Persona) -> None:
    """By the model or by code, within the deadline and its grace, with the right first cause."""
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 2.0)])), deadline="1500ms")
    desk.stand_in.persona = persona
    about, made = framed(brief()), staged(desk.analyst)
    began = time.monotonic()
    written = await made.analyse(about)
    assert time.monotonic() - began < 1.5 + SLACK_SECONDS
    composed = report(about, written)
    assert composed.causes[0].kind is CauseKind.HUNG_ENGINE


async def test_a_fault_after_a_look_keeps_what_was_looked_at(seat: Seat) -> None:
    """The report is code's, partial, and its ledger has the model's questions."""
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 2.0)])), deadline="15s")
    desk.stand_in.persona = Persona(name="curious", times=1, then="garbage")
    written = await staged(desk.analyst).analyse(framed(brief()))
    assert written.partial
    assert written.analyst == "embedded"
    assert "200 with a body that is not the API's" in written.notes[0]
    assert written.spend.calls == 1
    assert any(each.title.startswith("asked: ") for each in written.evidence)


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"model": "nobody"}, "check model"), ({"api_key": None}, "check api_key")],
)
async def test_what_is_configured_wrongly_is_told(
    seat: Seat, settings: dict[str, Any], told: str
) -> None:
    """An unknown model or a refused key is not tried again, and its remedy is in the report."""
    desk = await seat(**settings)
    written = await staged(desk.analyst).analyse(brief())
    assert told in written.notes[0]
    assert desk.time.slept == []


def _limited(headers: dict[str, str]) -> Callable[[web.Request], Any]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=BODY, content_type="application/json", headers=headers)

    return answer


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"x-ratelimit-remaining-req-minute": "0", "x-ratelimit-limit-req-minute": "60"}, 1.0),
        ({"x-ratelimit-remaining-req-minute": "1", "x-ratelimit-limit-req-minute": "60"}, 0.0),
        (
            {
                "x-ratelimit-remaining-tokens-minute": "1000",
                "x-ratelimit-limit-tokens-minute": "60000",
                "x-ratelimit-tokens-query-cost": "3000",
            },
            2.0,
        ),
        ({"x-ratelimit-remaining-req-minute": "nan", "x-ratelimit-limit-req-minute": "-1"}, 0.0),
        ({"x-ratelimit-remaining-req-minute": "0", "x-ratelimit-limit-req-minute": "0"}, 0.0),
        ({"x-ratelimit-remaining-req-minute": "9" * 400}, 0.0),
    ],
)
async def test_the_next_call_keeps_to_the_limits(
    seat: Seat, headers: dict[str, str], waits: float
) -> None:
    """One refill is waited for when the reply said that nothing is left, and nothing else is."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _limited(headers))
    desk = await seat(app)
    await desk.fails()
    assert sum(desk.time.slept) == pytest.approx(waits)


async def test_a_held_model_is_left_alone_by_all(seat: Seat) -> None:
    """After a 429 that names a long wait nobody asks, and the fallback, which is not held, does."""
    desk = await seat(fallback_model="mistral-medium-latest")
    desk.stand_in.persona = Persona(name="429", retry_after="30", times=1)
    first = await desk.analyst.analyse(brief())
    second = await desk.analyst.analyse(brief())
    assert first.analyst == second.analyst == "mistral (mistral-medium-latest)"
    asked = [each["model"] for each in desk.stand_in.received]
    assert asked.count(MODEL) == 1
    assert "not asked for 30 s more" in second.notes[0]


async def test_calls_of_a_model_at_once_are_bounded(seat: Seat) -> None:
    """More analyses than that wait for each other."""
    at_once, most = 0, 0

    async def answer(_request: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        return web.Response(body=BODY, content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    desk = await seat(app, concurrency=2)
    await asyncio.gather(*(desk.fails() for _ in range(6)))
    assert most == 2
