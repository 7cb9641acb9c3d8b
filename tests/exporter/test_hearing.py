"""Listening to a stream: the same is heard however it is cut."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.hearing import Hearing
from tests.exporter.servers import delta, event, finished

Protocol = Literal["openai", "anthropic"]


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces of a size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def hears(protocol: Protocol, data: bytes, size: int) -> tuple[bool, bool]:
    """Say whether a token and whether the end were heard."""
    hearing = Hearing(protocol)
    over = [hearing(piece) for piece in pieces(data, size)]
    return hearing.spoke(), any(over)


@given(size=st.integers(1, 60))
def test_the_end_is_heard_across_reads(size: int) -> None:
    """As a line of its own, never as a quotation in an answer."""
    quoted = event(b'{"content":"data: [DONE]"}') * 3
    assert hears("openai", quoted, size) == (True, False)
    assert hears("openai", b"data:[DONE]\r\n\r\n", size) == (False, True)
    stop = event(b'{"type": "message_stop"}')
    assert hears("anthropic", b"event: message_stop\n" + stop, size) == (False, True)
    text = event(rb'{"delta":{"text":"{\"type\":\"message_stop\"}"}}')
    assert hears("anthropic", text, size) == (True, False)


TOKENS = [
    delta("a"),
    delta("a", "reasoning"),
    delta("a", "reasoning_content"),
    event(b'{"choices":[{"text":"a"}]}'),
    event(b'{"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}'),
    event(b'{"choices":[{"delta":{"content":[{"type":"text","text":"a"}]}}]}'),
    event(b'{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"a"}}'),
    event(b'{"type":"content_block_start","content_block":{"type":"tool_use","name":"f"}}'),
]
NOTHING = [
    delta(""),
    delta("", "reasoning"),
    finished(),
    b": ping\n\n",
    event(b'{"type": "ping"}'),
    event(b'{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[]}}]}'),
    event(b'{"choices":[],"usage":{"completion_tokens":3}}'),
    event(b'{"type":"content_block_start","content_block":{"type":"text","text":""}}'),
]


@pytest.mark.parametrize("data", TOKENS)
@given(size=st.integers(1, 90))
def test_a_token_is_heard_across_reads(data: bytes, size: int) -> None:
    """Whatever carries it: an answer, reasoning, a tool call, in any of the protocols."""
    assert hears("openai", data, size) == (True, False)


@pytest.mark.parametrize("data", NOTHING)
@given(size=st.integers(1, 90))
def test_what_says_nothing_is_no_token(data: bytes, size: int) -> None:
    """Pings, roles, usage and empty text keep no stalled stream alive."""
    assert hears("openai", data, size) == (False, False)


def test_a_token_is_heard_once() -> None:
    """What was told is not told again for what comes after."""
    hearing = Hearing()
    hearing(delta("a"))
    assert hearing.spoke()
    hearing(b": ping\n\n")
    assert not hearing.spoke()
