"""What the kinds of streamed language models share: how a stream is asked for and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from exporter.completion import CUT, Completion
from exporter.hearing import Hearing
from exporter.http_terms import refusal, request_of, retry_after_seconds
from exporter.sse import Event, events
from exporter.target import Exchange, Observation, Reason, Target
from exporter.transport import Transport
from toolkit.secrets import Secret

_TIMEOUTS = frozenset({Reason.TIMEOUT_TOTAL, Reason.STALL})


async def ask(  # noqa: PLR0913 - what a request has
    target: Target,
    transport: Transport,
    *,
    url: str,
    body: Mapping[str, Any],
    stall_seconds: float | None,
    hearing: Hearing,
    headers: Mapping[str, str | Secret] | None = None,
) -> Exchange:
    """Ask for a stream, until it ends or has said all."""
    typed = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    return await transport.exchange(
        request_of(
            target,
            method="POST",
            url=url,
            headers={**typed, **(headers or {})},
            body=orjson.dumps(body),
            stall_seconds=stall_seconds,
            heard=hearing,
            spoke=hearing.spoke,
        )
    )


def completion_of(
    exchange: Exchange,
    read_stream: Callable[[Iterable[Event]], Completion],
    read_whole: Callable[[bytes, float], Completion],
) -> Completion:
    """Read what an exchange says: a stream, or a whole answer where none was made of it."""
    if exchange.status is None or not 200 <= exchange.status < 300:
        return Completion()
    is_stream = "event-stream" in exchange.headers.get("content-type", "")
    said = read_stream(events(exchange.chunks))
    if said.events or is_stream or not exchange.complete or not exchange.chunks:
        return said
    return read_whole(exchange.body, exchange.chunks[-1].at)


def observation_of(
    exchange: Exchange, said: Completion, refused_fields: frozenset[str] | None = None
) -> Observation:
    """Make the observation of a stream: answer, reasoning, usage, and the times of its tokens."""
    reason, detail = _failure(exchange, said)
    written = exchange.times.written
    return Observation(
        reason=reason,
        detail=detail,
        answer="".join(said.answer) or ("" if said.events else _head(exchange)),
        reasoning="".join(said.reasoning),
        complaint=said.complaint,
        status_code=exchange.status,
        duration_seconds=exchange.times.end - exchange.times.begin,
        retry_after_seconds=retry_after_seconds(exchange),
        finish_reason=said.finish_reason,
        cut_off=said.finish_reason in CUT,
        served_model=said.served_model,
        fingerprint=said.fingerprint,
        prompt_tokens=said.prompt_tokens,
        output_tokens=said.output_tokens,
        first_token_seconds=_since(written, next(iter(said.token_times), None)),
        first_answer_seconds=_since(written, said.first_answer_at),
        time_per_output_token_seconds=said.time_per_output_token_seconds(),
        chunk_gap_max_seconds=said.chunk_gap_max_seconds(),
        stream_buffered=said.buffered(),
        refused_fields=refused_fields,
    )


def _failure(exchange: Exchange, said: Completion) -> tuple[Reason | None, str]:
    """Decide why this is no whole answer, (None, "") when it is one."""
    refused = refusal(exchange)
    if said.reason is not None:
        return said.reason, f"{said.detail}, {_so_far(said)}"
    if said.ended:
        return _ended(said)
    if refused is not None:
        return _in_stream(*refused, said)
    if said.events:
        return Reason.STREAM_TRUNCATED, f"no [DONE], no finish reason, {_so_far(said)}"
    return Reason.EMPTY, "the answer has no events"


def _ended(said: Completion) -> tuple[Reason | None, str]:
    if said.answer or said.tool_calls:
        return None, ""
    if said.finish_reason in CUT and said.reasoning:
        return Reason.CUT_OFF, "cut by the token limit while reasoning"
    return Reason.EMPTY, "reasoning only, no answer" if said.reasoning else "the answer is empty"


def _in_stream(reason: Reason, detail: str, said: Completion) -> tuple[Reason, str]:
    """Name the transport's failure in the terms of a stream."""
    if reason in _TIMEOUTS and not said.token_times:
        return Reason.TIMEOUT_FIRST_TOKEN, "no token came in time"
    if reason is Reason.PROTOCOL and said.events:
        return Reason.STREAM_TRUNCATED, f"the connection ended before the stream, {_so_far(said)}"
    if reason is Reason.STALL:
        return reason, f"{detail}, {_so_far(said)}"
    return reason, detail


def _so_far(said: Completion) -> str:
    """Say how far a stream had come, which tells an engine that broke from one that never began."""
    count = len(said.token_times)
    if not count:
        return "before the first token"
    return f"after {count} chunk{'s' if count > 1 else ''} with tokens"


def _head(exchange: Exchange) -> str:
    """Return the head of a body that is no stream, for people to read."""
    return exchange.body[:2000].decode("utf-8", "replace")


def _since(begin: float | None, at: float | None) -> float | None:
    return None if begin is None or at is None else max(0.0, at - begin)
