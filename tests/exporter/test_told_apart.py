"""Failures inside a 200 that a status code calls healthy, on real sockets, told apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import orjson
import pytest

from exporter.canary import Canary
from exporter.checks.regex import Regex
from exporter.probes.anthropic_messages import AnthropicMessages
from exporter.probes.openai_chat import OpenAIChat
from exporter.probes.openai_completions import OpenAICompletions
from exporter.run import Run, perform
from exporter.target import Observation, Reason
from exporter.transport import HttpTransport, open_transport
from tests.exporter.servers import (
    DONE,
    STREAM,
    Behaviour,
    delta,
    event,
    finished,
    forever,
    says,
    serving,
)

TIMEOUT_SECONDS = 30.0
STALL_SECONDS = 0.2
Kind = type[OpenAIChat] | type[OpenAICompletions] | type[AnthropicMessages]
Case = tuple[Behaviour, Reason | None, str]


class Words:
    """One protocol's way to stream; each gives bytes."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.is_anthropic = kind is AnthropicMessages

    def token(self, text: str, *, reasoning: bool = False) -> bytes:
        """Give a chunk with a piece of the answer, or of the reasoning."""
        if self.is_anthropic:
            named = "thinking" if reasoning else "text"
            piece = {"type": f"{named}_delta", named: text}
            return event(orjson.dumps({"type": "content_block_delta", "delta": piece}))
        if self.kind is OpenAICompletions and not reasoning:
            return event(orjson.dumps({"choices": [{"text": text}]}))
        return delta(text, "reasoning" if reasoning else "content")

    def end(self, *, cut: bool = False) -> bytes:
        """Give the chunks that end the answer."""
        if self.is_anthropic:
            stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
            if cut:
                stop["delta"] = {"stop_reason": "max_tokens"}
            return event(orjson.dumps(stop)) + event(b'{"type":"message_stop"}')
        return finished("length" if cut else "stop") + DONE

    def error(self) -> bytes:
        """Give an error in the stream."""
        return event(b'{"type":"error","error":{"type":"overloaded","message":"no memory left"}}')

    def ping(self) -> bytes:
        """Give what keeps a connection open and says nothing."""
        return event(b'{"type": "ping"}') if self.is_anthropic else b": ping\n\n"


def cases(words: Words) -> dict[str, Case]:
    """Return each failure with its reason and a piece of what is told of it."""
    three = b"".join(map(words.token, ("The", " capital", " is")))
    thinks = words.token("hm", reasoning=True)
    return {
        "whole": (says(STREAM + three + words.token(" Paris") + words.end()), None, ""),
        "error as the first event": (
            says(STREAM + words.error()),
            Reason.STREAM_ERROR,
            "before the first token",
        ),
        "error after three tokens": (
            says(STREAM + three + words.error()),
            Reason.STREAM_ERROR,
            "after 3 chunks",
        ),
        "clean end after three tokens": (
            says(STREAM + three),
            Reason.STREAM_TRUNCATED,
            "after 3 chunks",
        ),
        "broken after three tokens": (
            says(STREAM.replace(b"Connection", b"Content-Length: 9999\r\nConnection") + three),
            Reason.STREAM_TRUNCATED,
            "the connection ended",
        ),
        "the end's marks missing": (
            says(STREAM + three + words.token(" Paris")),
            Reason.STREAM_TRUNCATED,
            "no finish reason, after 4 chunks",
        ),
        "hang after three tokens": (
            forever(STREAM + three, b"", 0.05),
            Reason.STALL,
            "after 3 chunks",
        ),
        "hang after three tokens, with pings": (
            forever(STREAM + three, words.ping(), 0.02),
            Reason.STALL,
            "after 3 chunks",
        ),
        "wrong answer": (
            says(STREAM + words.token("London") + words.end()),
            Reason.WRONG_ANSWER,
            "regex",
        ),
        "reasoning only": (
            says(STREAM + thinks + words.end()),
            Reason.EMPTY,
            "reasoning only",
        ),
        "cut while reasoning": (
            says(STREAM + thinks + words.end(cut=True)),
            Reason.CUT_OFF,
            "while reasoning",
        ),
        "cut before it was right": (
            says(STREAM + three + words.end(cut=True)),
            Reason.CUT_OFF,
            "cut by the token limit; regex",
        ),
        "right, then cut": (
            says(STREAM + words.token("Paris, which") + words.end(cut=True)),
            None,
            "",
        ),
        "nothing said": (says(STREAM + words.end()), Reason.EMPTY, "the answer is empty"),
    }


KINDS: tuple[Kind, ...] = (OpenAIChat, OpenAICompletions, AnthropicMessages)
ALL = [(kind, name) for kind in KINDS for name in cases(Words(kind))]


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    """Open a transport for one test."""
    async with open_transport() as opened:
        yield opened


async def asked(transport: HttpTransport, kind: Kind, behaviour: Behaviour) -> Run:
    """Ask an endpoint that behaves so for the capital of France."""
    canary = Canary(name="c", prompt="Of France?", checks=(Regex(pattern="Paris"),))
    async with serving(behaviour) as url:
        target = kind(
            name="t",
            url=url,
            timeout=TIMEOUT_SECONDS,
            stall=STALL_SECONDS,
            model="m",
            canaries=(canary,),
        )
        return await asyncio.wait_for(perform(target, target.questions()[0], transport), 40)


@pytest.mark.parametrize(("kind", "name"), ALL)
async def test_failures_of_a_stream_are_told_apart(
    transport: HttpTransport, kind: Kind, name: str
) -> None:
    """Each has its reason, and says how far the stream had come."""
    behaviour, reason, told = cases(Words(kind))[name]
    run = await asked(transport, kind, behaviour)
    assert run.reason == reason, run.detail
    assert told in run.detail


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hang_is_seen_long_before_the_timeout(transport: HttpTransport, kind: Kind) -> None:
    """The stall limit counts from the last token; its figures are those of what had come."""
    behaviour, *_ = cases(Words(kind))["hang after three tokens, with pings"]
    begin = time.monotonic()
    run = await asked(transport, kind, behaviour)
    assert time.monotonic() - begin < TIMEOUT_SECONDS / 2
    seen = run.observation
    assert seen.first_token_seconds is not None
    assert seen.duration_seconds >= STALL_SECONDS


async def test_what_the_server_said_is_kept_for_people(transport: HttpTransport) -> None:
    """The error's own text is in the observation, and is no answer."""
    for kind in KINDS:
        run = await asked(transport, kind, cases(Words(kind))["error after three tokens"][0])
        assert "no memory left" in run.observation.complaint
        assert "no memory left" not in run.observation.answer


async def test_a_slow_first_token_is_no_stall(transport: HttpTransport) -> None:
    """A role-only chunk at once, and the answer later than the stall limit."""
    pieces = (STREAM + delta(""), b": ping\n\n", b": ping\n\n", delta("Paris") + finished() + DONE)
    run = await asked(transport, OpenAIChat, says(*pieces, every_seconds=STALL_SECONDS * 0.7))
    assert run.reason is None, run.detail
    first = run.observation.first_token_seconds
    assert first is not None
    assert first > STALL_SECONDS


async def test_a_message_held_open_after_its_end_is_over(transport: HttpTransport) -> None:
    """What follows `message_stop` is not waited for."""
    words = Words(AnthropicMessages)
    held = forever(STREAM + words.token("Paris") + words.end(), words.ping(), 0.05)
    seen: Observation = (await asked(transport, AnthropicMessages, held)).observation
    assert seen.reason is None
    assert seen.duration_seconds < TIMEOUT_SECONDS / 2
