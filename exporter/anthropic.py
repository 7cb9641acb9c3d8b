"""Anthropic's stream of a message: events -> what was said, when, and how it ended; pure.

The events are those of docs.anthropic.com, API, streaming messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from exporter.completion import Completion, complain, count_of, text_of
from exporter.sse import Event
from exporter.target import Reason


def read_stream(events: Iterable[Event]) -> Completion:
    """Read a stream's events to `message_stop`, its error or its end."""
    said = Completion()
    for event in events:
        said.events += 1
        document = _document(said, event)
        if document is not None and document.get("type") == "error":
            complain(said, event.data)
        elif document is not None:
            _READERS.get(text_of(document.get("type")), _nothing)(said, document, event.at)
        if said.done or said.reason is not None:
            break
    return said


def read_whole(body: bytes, at: float) -> Completion:
    """Read a message that was not streamed although a stream was asked for."""
    said = Completion()
    text = body.decode("utf-8", "replace")
    document = _document(said, Event(at=at, data=text))
    if document is None:
        return said
    if document.get("type") == "error":
        complain(said, text)
        return said
    blocks = document.get("content")
    if document.get("type") != "message" or not isinstance(blocks, list):
        said.reason, said.detail = Reason.SCHEMA, "the answer is no message"
        return said
    _start(said, {"message": document}, at)
    for block in blocks:
        _say(said, block, at)
    said.finish_reason = text_of(document.get("stop_reason")) or said.finish_reason
    return said


def _document(said: Completion, event: Event) -> Mapping[str, Any] | None:
    try:
        document = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        if event.whole:  # else it was cut off by the stream's end, which is told elsewhere
            said.reason, said.detail = Reason.BAD_JSON, "the answer is not JSON"
        return None
    if not isinstance(document, dict):
        said.reason, said.detail = Reason.SCHEMA, "an event is no object"
        return None
    return document


def _start(said: Completion, document: Mapping[str, Any], at: float) -> None:
    del at
    message = document.get("message")
    if isinstance(message, dict):
        said.served_model = text_of(message.get("model")) or said.served_model
        _read_usage(said, message.get("usage"))


def _block(said: Completion, document: Mapping[str, Any], at: float) -> None:
    _say(said, document.get("content_block"), at)


def _delta(said: Completion, document: Mapping[str, Any], at: float) -> None:
    _say(said, document.get("delta"), at)


def _say(said: Completion, part: Any, at: float) -> None:
    """Take in a block of content, or a piece of one."""
    if not isinstance(part, dict):
        return
    answer, thinking = text_of(part.get("text")), text_of(part.get("thinking"))
    called = part.get("type") in {"tool_use", "input_json_delta"}
    said.tool_calls += part.get("type") == "tool_use"
    if answer:
        said.answer.append(answer)
    if thinking:
        said.reasoning.append(thinking)
    if answer or thinking or called:
        said.token_times.append(at)
    if (answer or called) and said.first_answer_at is None:
        said.first_answer_at = at


def _end(said: Completion, document: Mapping[str, Any], at: float) -> None:
    del at
    delta = document.get("delta")
    if isinstance(delta, dict):
        said.finish_reason = text_of(delta.get("stop_reason")) or said.finish_reason
    _read_usage(said, document.get("usage"))


def _stop(said: Completion, document: Mapping[str, Any], at: float) -> None:
    del document, at
    said.done = True


def _nothing(said: Completion, document: Mapping[str, Any], at: float) -> None:
    """Pass over what is neither said nor an end: pings, and events that are newer than this."""
    del said, document, at


def _read_usage(said: Completion, usage: Any) -> None:
    """Read usage; the output's is told again and again, in all."""
    if isinstance(usage, dict):
        said.prompt_tokens = count_of(usage.get("input_tokens"), said.prompt_tokens)
        said.output_tokens = count_of(usage.get("output_tokens"), said.output_tokens)


_READERS: Mapping[str, Callable[[Completion, Mapping[str, Any], float], None]] = {
    "message_start": _start,
    "content_block_start": _block,
    "content_block_delta": _delta,
    "message_delta": _end,
    "message_stop": _stop,
}
