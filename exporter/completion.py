"""Streamed completions: events -> what was said, when, and how it ended; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from exporter.sse import Event
from exporter.target import Reason

# A whole answer at once says "buffered" only when it is longer than what a quick engine produces
# between two wake-ups of ours; a proxy may pass it on in several reads, but no engine makes ten
# thousand tokens a second for one request.
_BUFFERED_TOKENS = 8
_FASTEST_TOKEN_SECONDS = 1e-4
_COMPLAINT_CHARACTERS = 2000

CUT = frozenset({"length", "max_tokens", "model_length"})
"""Finish reasons that say: the answer goes on, and a limit of tokens cut it."""


@dataclass(kw_only=True, slots=True)
class Completion:
    """What the events of one stream have said so far; grows event by event."""

    answer: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    token_times: list[float] = field(default_factory=list)
    first_answer_at: float | None = None
    tool_calls: int = 0
    finish_reason: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int = 0
    done: bool = False
    events: int = 0
    reason: Reason | None = None
    detail: str = ""
    complaint: str = ""

    @property
    def ended(self) -> bool:
        """Whether the stream said that the answer is whole."""
        return self.done or self.finish_reason is not None

    def time_per_output_token_seconds(self) -> float | None:
        """(end - first token) / (output tokens - 1), from usage; absent under two tokens.

        The end is the last token's chunk, so that a trailing usage chunk does not lengthen it.
        Tokens of a reasoning that is counted but not shown came before the first one, and are left
        out.
        """
        if self.output_tokens is None or not self.token_times:
            return None
        tokens = self.output_tokens - (0 if self.reasoning else self.reasoning_tokens)
        if tokens < 2:
            return None
        return (self.token_times[-1] - self.token_times[0]) / (tokens - 1)

    def chunk_gap_max_seconds(self) -> float | None:
        """Longest wait between two chunks with tokens; absent under two."""
        pairs = zip(self.token_times, self.token_times[1:], strict=False)
        return max((after - before for before, after in pairs), default=None)

    def buffered(self) -> bool | None:
        """Whether the whole answer came at once; absent for answers too short to tell."""
        tokens = max(self.output_tokens or 0, len(self.token_times))
        if tokens < _BUFFERED_TOKENS or not self.token_times:
            return None
        span_seconds = self.token_times[-1] - self.token_times[0]
        return span_seconds < _FASTEST_TOKEN_SECONDS * (tokens - 1)


def read_stream(events: Iterable[Event]) -> Completion:
    """Read a stream's events to its `[DONE]`, its error or its end."""
    said = Completion()
    for event in events:
        said.events += 1
        if event.data.strip() == "[DONE]":
            said.done = True
            break
        _read(said, event)
        if said.reason is not None:
            break
    return said


def read_whole(body: bytes, at: float) -> Completion:
    """Read an answer that was not streamed although a stream was asked for."""
    said = Completion()
    _read(said, Event(at=at, data=body.decode("utf-8", "replace")))
    if said.reason is None and said.finish_reason is None and not said.token_times:
        said.reason, said.detail = Reason.SCHEMA, "the answer is no completion"
    return said


def _read(said: Completion, event: Event) -> None:
    try:
        document = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        if not event.whole:
            return  # cut off by the stream's end, which is told elsewhere
        said.reason, said.detail = Reason.BAD_JSON, "the answer is not JSON"
        return
    if not isinstance(document, dict):
        said.reason, said.detail = Reason.SCHEMA, "an event is no object"
        return
    if document.get("error") or document.get("object") == "error":
        complain(said, event.data)
        return
    said.served_model = text_of(document.get("model")) or said.served_model
    said.fingerprint = text_of(document.get("system_fingerprint")) or said.fingerprint
    _read_usage(said, document.get("usage"))
    choices = document.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        _read_choice(said, choices[0], event.at)


def complain(said: Completion, text: str) -> None:
    """Note that the server put an error where the answer should be."""
    said.reason, said.detail = Reason.STREAM_ERROR, "an error in a 200 answer"
    said.complaint = text[:_COMPLAINT_CHARACTERS]


def _read_usage(said: Completion, usage: Any) -> None:
    if isinstance(usage, dict):
        said.prompt_tokens = count_of(usage.get("prompt_tokens"), said.prompt_tokens)
        said.output_tokens = count_of(usage.get("completion_tokens"), said.output_tokens)
        details = usage.get("completion_tokens_details")
        if isinstance(details, dict):
            told = count_of(details.get("reasoning_tokens"), None)
            said.reasoning_tokens = told or said.reasoning_tokens


def _read_choice(said: Completion, choice: Mapping[str, Any], at: float) -> None:
    said.finish_reason = text_of(choice.get("finish_reason")) or said.finish_reason
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        delta = choice.get("message")
    if not isinstance(delta, dict):
        delta = {"content": choice.get("text")}  # a prompt's completion
    answer, thinking = _content(delta.get("content"))
    answer += text_of(delta.get("refusal"))  # what a user is shown in the answer's place
    # DeepSeek and older vLLM say reasoning_content, vLLM since 0.19 and OpenRouter reasoning.
    thinking += text_of(delta.get("reasoning_content")) or text_of(delta.get("reasoning"))
    calls = delta.get("tool_calls")
    called = len(calls) if isinstance(calls, list) else 0
    said.tool_calls += called
    if answer:
        said.answer.append(answer)
    if thinking:
        said.reasoning.append(thinking)
    if answer or thinking or called:
        said.token_times.append(at)
    if (answer or called) and said.first_answer_at is None:
        said.first_answer_at = at


def _content(content: Any) -> tuple[str, str]:
    """Split a delta's content into answer and thinking; Mistral sends a list of typed parts."""
    if not isinstance(content, list):
        return text_of(content), ""
    answer, thinking = "", ""
    for part in content:
        if not isinstance(part, dict):
            continue
        answer += text_of(part.get("text"))
        inner = part.get("thinking")
        if isinstance(inner, list):
            thinking += "".join(
                text_of(each.get("text")) for each in inner if isinstance(each, dict)
            )
        else:
            thinking += text_of(inner)
    return answer, thinking


def text_of(value: Any) -> str:
    """Return a text, an empty one for what is none."""
    return value if isinstance(value, str) else ""


def count_of(value: Any, otherwise: int | None) -> int | None:
    """Return a count of tokens, or `otherwise` for what can be none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31:
        return value
    return otherwise
