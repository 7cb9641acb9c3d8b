"""The kind triton_generate: whole answers and streams, ended well and badly."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from exporter.probes.triton_generate import TritonGenerate
from exporter.target import Reason
from tests.exporter.probes.speaking import Handler, asked, says


def piece(text: Any = "a", **other: Any) -> bytes:
    """Return one event of a stream."""
    return b"data: " + json.dumps({"model_name": "m", "text_output": text, **other}).encode()


def streams(*pieces: bytes, hangs: bool = False, breaks: bool = False) -> Handler:
    """Make a handler that sends these, each its own write."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for each in pieces:
            await response.write(each)
            await asyncio.sleep(0.01)
        if hangs:
            await asyncio.sleep(2)
        if breaks and request.transport is not None:
            request.transport.abort()
        return response

    return handle


END = b"\n\n"
STREAMS: dict[str, tuple[Handler, Reason | None]] = {
    "whole": (streams(piece("Par") + END, piece("is") + END), None),
    "an empty piece": (streams(piece("") + END, piece("Paris") + END), None),
    "split": (streams(piece("Paris")[:9], piece("Paris")[9:] + END), None),
    "nothing": (streams(), Reason.EMPTY),
    "empty pieces only": (streams(piece("") + END), Reason.EMPTY),
    "error first": (streams(b'data: {"error": "no"}' + END), Reason.STREAM_ERROR),
    "error later": (streams(piece() + END, b'data: {"error": "x"}' + END), Reason.STREAM_ERROR),
    "half an event": (streams(piece() + END, piece()[:12]), Reason.STREAM_TRUNCATED),
    "no JSON": (streams(b"data: <html>" + END), Reason.BAD_JSON),
    "no text": (streams(piece(1) + END), Reason.SCHEMA),
    "other JSON": (streams(b"data: []" + END), Reason.SCHEMA),
    "broken": (streams(piece() + END, breaks=True), Reason.STREAM_TRUNCATED),
    "hangs at once": (streams(hangs=True), Reason.TIMEOUT_FIRST_TOKEN),
    "hangs later": (streams(piece() + END, hangs=True), Reason.TIMEOUT_TOTAL),
    "500": (says({"error": "no"}, 500), Reason.HTTP_5XX),
    "400": (says({"error": "no"}, 400), Reason.HTTP_4XX),
}


@pytest.mark.parametrize("case", STREAMS)
async def test_stream_is_read(case: str) -> None:
    """Each way in which a stream ends has its reason; times are there where tokens are."""
    handler, reason = STREAMS[case]
    run = await asked(handler, TritonGenerate, model="m", timeout=0.4 if "hangs" in case else 5.0)
    assert run.reason is reason, run.detail
    if reason is None:
        assert run.observation.answer == "Paris"
        assert run.observation.served_model == "m"
        assert (run.observation.first_token_seconds or 0) > 0


async def test_whole_answer_needs_no_stream() -> None:
    """`stream: false` asks `generate`, and reads one object."""
    seen: list[Any] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(await request.json())
        return web.json_response({"model_name": "m", "text_output": "ready"})

    run = await asked(
        {"POST /v2/models/m/versions/1/generate": handle},
        TritonGenerate,
        model="m",
        version="1",
        stream=False,
        parameters={"temperature": 0},
        checks=[{"contains": "ready"}],
    )
    assert run.reason is None, run.detail
    assert seen[0]["text_input"]
    assert seen[0]["stream"] is False
    assert (seen[0]["max_tokens"], seen[0]["temperature"]) == (64, 0)


async def test_cold_prompt_is_new_in_each_run() -> None:
    """A cold canary begins anew, past prefix caches."""
    seen: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append((await request.json())["text_input"])
        return web.json_response({"text_output": "x"})

    cold = {"name": "c", "prompt": "Say it.", "cold": True}
    for _ in range(2):
        await asked(handle, TritonGenerate, model="m", stream=False, canaries=[cold])
    assert seen[0] != seen[1]
    assert all(text.endswith("Say it.") for text in seen)
