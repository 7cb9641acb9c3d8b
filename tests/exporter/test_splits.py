"""A stream cut at any byte gives the same observation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.probe import Probe, probe_of
from exporter.probes.anthropic_messages import AnthropicMessages
from exporter.probes.openai_chat import OpenAIChat
from exporter.probes.openai_completions import OpenAICompletions
from exporter.target import Chunk, Exchange, Observation, Target, Times

Pieces = list[tuple[float, bytes]]

CHAT: list[Any] = [
    {"choices": [{"delta": {"role": "assistant", "content": ""}}], "model": "m-1"},
    {"choices": [{"delta": {"reasoning": "hm, \u00e9\u4e2d"}}], "system_fingerprint": "fp"},
    {"choices": [{"delta": {"content": "Pa\r\n"}}]},
    {"choices": [{"delta": {"content": "ris \U0001f5fc [DONE]"}}]},
    {"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 12}},
]
TEXT: list[Any] = [
    {"choices": [{"text": "Pa"}]},
    {"choices": [{"text": "ris", "finish_reason": "length"}], "model": "m"},
]
MESSAGE: list[Any] = [
    {"type": "message_start", "message": {"model": "c", "usage": {"input_tokens": 9}}},
    {"type": "ping"},
    {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Par\u00ees"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]
BROKEN = [CHAT[0], CHAT[2], {"error": {"message": "boom"}}]
STREAMS: list[tuple[Any, list[Any], bytes]] = [
    (OpenAIChat, CHAT, b"[DONE]"),
    (OpenAIChat, CHAT[:4], b""),
    (OpenAIChat, BROKEN, b""),
    (OpenAICompletions, TEXT, b"[DONE]"),
    (AnthropicMessages, MESSAGE, b""),
]


def timed(documents: list[Any], end: bytes, line_end: bytes) -> Pieces:
    """Give each event with the second at which it came, keep-alives between them."""
    lines = [orjson.dumps(each) for each in documents] + ([end] if end else [])
    events = [
        b": ping" + line_end * 2 + b"id: 7" + line_end + b"data: " + each + line_end * 2
        for each in lines
    ]
    return [(10.0 + index, each) for index, each in enumerate(events)]


def cut(pieces: Pieces, at: frozenset[int]) -> Iterator[Chunk]:
    """Cut each event further, at these offsets of the stream."""
    begin = 0
    for moment, data in pieces:
        inner = sorted(each - begin for each in at if begin < each < begin + len(data))
        for start, stop in zip([0, *inner], [*inner, len(data)], strict=True):
            yield Chunk(at=moment, data=data[start:stop])
        begin += len(data)


def observed(kind: Any, pieces: Pieces, at: frozenset[int]) -> Observation:
    """Return what a kind sees in a stream that is cut so."""
    target = kind(name="t", url="http://h", model="m")
    assert isinstance(target, Target)
    assert isinstance(target, Probe)
    exchange = Exchange(
        times=Times(begin=9.0, end=99.0, written=9.5),
        status=200,
        headers={"content-type": "text/event-stream"},
        chunks=tuple(cut(pieces, at)),
        complete=True,
    )
    return probe_of(target).preprocess(target.questions()[0], exchange)


@pytest.mark.parametrize(("kind", "documents", "end"), STREAMS)
@given(
    at=st.frozensets(st.integers(0, 1200), max_size=40),
    line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_any_cut_gives_the_same_observation(
    kind: Any, documents: list[Any], end: bytes, at: frozenset[int], line_end: bytes
) -> None:
    """Reason, texts, tokens and times: nothing depends on where reads end inside an event."""
    pieces = timed(documents, end, line_end)
    assert observed(kind, pieces, at) == observed(kind, pieces, frozenset())


@pytest.mark.parametrize(("kind", "documents", "end"), STREAMS)
def test_every_byte_alone_gives_the_same_observation(
    kind: Any, documents: list[Any], end: bytes
) -> None:
    """The finest cut of all."""
    pieces = timed(documents, end, b"\n")
    every = frozenset(range(sum(len(data) for _, data in pieces)))
    whole = observed(kind, pieces, frozenset())
    assert observed(kind, pieces, every) == whole
    assert whole.first_token_seconds is not None
