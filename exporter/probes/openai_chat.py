"""Chat over OpenAI's streaming API: canary prompts, and the times at which tokens came."""

from __future__ import annotations

import secrets
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

import orjson
from pydantic import AfterValidator, Field

from exporter import dialect as dialects
from exporter.check import Check, CheckField
from exporter.completion import Completion, read_stream, read_whole
from exporter.http_terms import refusal, request_of, retry_after_seconds
from exporter.probe import KOfN, Question, Required, probes
from exporter.sse import Done, events
from exporter.target import Exchange, Name, Observation, PromptKind, Reason, Target, between
from exporter.transport import Transport
from toolkit.settings import Duration, Settings

_PATH = "/v1/chat/completions"
_TIMEOUTS = frozenset({Reason.TIMEOUT_TOTAL, Reason.STALL})


class Canary(Settings):
    """One prompt whose right answer is known."""

    name: Name = Field(description="the label `canary`")
    prompt: str = Field(min_length=1, max_length=20_000, description="what is asked")
    checks: tuple[CheckField, ...] = Field((), description="what the answer must hold")
    required: KOfN = Field(Required(), description="k of n: right answers among the last runs")
    optional: bool = Field(False, description="under its k of n it only degrades the target")
    cold: bool = Field(False, description="begin the prompt anew each time, past prefix caches")

    def question(self, also: tuple[Check, ...], max_tokens: int) -> Question:
        """Return the canary as a question, the target's own checks included."""
        return Question(
            canary=self.name,
            text=self.prompt,
            checks=self.checks + also,
            required=self.required,
            optional=self.optional,
            prompt=PromptKind.COLD if self.cold else PromptKind.WARM,
            cost_tokens=len(self.prompt) // 4 + max_tokens,
        )


def _check_canaries(canaries: tuple[Canary, ...]) -> tuple[Canary, ...]:
    names = [canary.name for canary in canaries]
    if not names:
        raise ValueError("no canary; add one, or leave the setting out for the default")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two canaries are named {name!r}; give each its own name")
    return canaries


@probes.register("openai_chat")
class OpenAIChat(Target):
    """Asks for a streamed chat completion; right is a whole answer that holds the checks."""

    model: str = Field(min_length=1, max_length=200, description="the model to ask for")
    dialect: dialects.Name = Field("auto", description="which optional fields the server takes")
    max_tokens: Annotated[int, between(1, 32_768)] = Field(64, description="longest answer")
    stall: Duration | None = Field(None, gt=0, description="longest wait between two chunks")
    canaries: Annotated[tuple[Canary, ...], AfterValidator(_check_canaries)] = Field(
        (Canary(name="alive", prompt="Reply with the one word: ready"),),
        description="asked in turn, one a run",
    )
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries."""
        return tuple(canary.question(self.checks, self.max_tokens) for canary in self.canaries)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Ask the question, reading until `[DONE]`."""
        text = question.text
        if question.prompt is PromptKind.COLD:
            text = f"[{secrets.token_hex(8)}]\n{text}"
        body = dialects.chat_request(
            self.dialect,
            model=self.model,
            messages=[{"role": "user", "content": text}],
            max_tokens=self.max_tokens,
        )
        return await transport.exchange(
            request_of(
                self,
                method="POST",
                url=endpoint(self.url or ""),
                headers={"Content-Type": "application/json", "Accept": "text/event-stream"},
                body=orjson.dumps(body),
                stall_seconds=self.stall,
                heard=Done(),
            )
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the stream: answer, reasoning, usage, and the times of its tokens."""
        del question
        said = _completion(exchange)
        reason, detail = _failure(exchange, said)
        written = exchange.times.written
        return Observation(
            reason=reason,
            detail=detail,
            answer="".join(said.answer) or ("" if said.events else _head(exchange)),
            reasoning="".join(said.reasoning),
            status_code=exchange.status,
            duration_seconds=exchange.times.end - exchange.times.begin,
            retry_after_seconds=retry_after_seconds(exchange),
            finish_reason=said.finish_reason,
            served_model=said.served_model,
            fingerprint=said.fingerprint,
            prompt_tokens=said.prompt_tokens,
            output_tokens=said.output_tokens,
            first_token_seconds=_since(written, next(iter(said.token_times), None)),
            first_answer_seconds=_since(written, said.first_answer_at),
            time_per_output_token_seconds=said.time_per_output_token_seconds(),
            chunk_gap_max_seconds=said.chunk_gap_max_seconds(),
            stream_buffered=said.buffered(),
        )


def endpoint(url: str) -> str:
    """Return the chat endpoint of a server's address, which may hold the path in part or whole."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path = f"{path}/chat/completions" if path.endswith("/v1") else path + _PATH
    return urlunsplit(parts._replace(path=path))


def _completion(exchange: Exchange) -> Completion:
    if exchange.status is None or not 200 <= exchange.status < 300:
        return Completion()
    streamed = "event-stream" in exchange.headers.get("content-type", "")
    said = read_stream(events(exchange.chunks))
    if said.events or streamed or not exchange.complete or not exchange.chunks:
        return said
    return read_whole(exchange.body, exchange.chunks[-1].at)


def _failure(exchange: Exchange, said: Completion) -> tuple[Reason | None, str]:
    """Decide why this is no whole answer, (None, "") when it is one."""
    refused = refusal(exchange)
    if said.reason is not None:
        return said.reason, said.detail
    if refused is not None and not said.ended:
        return _in_stream(*refused, said)
    if not said.ended:
        nothing = (Reason.EMPTY, "the answer has no events")
        return (Reason.STREAM_TRUNCATED, "no [DONE], no finish reason") if said.events else nothing
    if said.answer or said.tool_calls:
        return None, ""
    if said.finish_reason == "length" and said.reasoning:
        return Reason.CUT_OFF, "cut by the token limit while reasoning"
    return Reason.EMPTY, "the answer is empty"


def _in_stream(reason: Reason, detail: str, said: Completion) -> tuple[Reason, str]:
    """Name the transport's failure in the terms of a stream."""
    if reason in _TIMEOUTS and not said.token_times:
        return Reason.TIMEOUT_FIRST_TOKEN, "no token came in time"
    if reason is Reason.PROTOCOL and said.events:
        return Reason.STREAM_TRUNCATED, "the connection ended before the stream"
    return reason, detail


def _head(exchange: Exchange) -> str:
    """Return the head of a body that is no stream, for people to read."""
    return exchange.body[:2000].decode("utf-8", "replace")


def _since(begin: float | None, at: float | None) -> float | None:
    return None if begin is None or at is None else max(0.0, at - begin)
