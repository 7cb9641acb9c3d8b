"""Triton's generate extension: text in, text out, whole or as a stream of events."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from exporter import prediction
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.http_terms import refusal
from exporter.prediction import CanaryName, FaultError
from exporter.probe import KOfN, Question, Required, probes
from exporter.sse import Event, events
from exporter.target import Exchange, Observation, PromptKind, Reason, Target, between
from exporter.transport import Transport
from toolkit.settings import Settings

_LATE = frozenset({Reason.TIMEOUT_TOTAL, Reason.STALL})


class GenerateCanary(Settings):
    """One prompt whose right answer is known."""

    name: CanaryName = Field(description="the label `canary`")
    prompt: str = Field(min_length=1, max_length=20_000, description="what is asked")
    checks: tuple[CheckField, ...] = Field((), description="what the answer must hold")
    required: KOfN = Field(Required(), description="k of n: right answers among the last runs")
    optional: bool = Field(False, description="under its k of n it only degrades the target")
    cold: bool = Field(False, description="begin the prompt anew each time, past prefix caches")


def _check(canaries: tuple[GenerateCanary, ...]) -> tuple[GenerateCanary, ...]:
    if not canaries:
        raise ValueError("no canary; add one, or leave the setting out for the default")
    names = [canary.name for canary in canaries]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two canaries are named {name!r}; give each its own name")
    return canaries


@probes.register("triton_generate")
class TritonGenerate(Target):
    """Asks for generated text; right is a whole answer that holds the checks."""

    model: str = Field(min_length=1, max_length=200, description="the model to ask")
    version: str | None = Field(None, min_length=1, max_length=200, description="of the model")
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    stream: bool = Field(
        True, description="ask for a stream, which the model must be decoupled for"
    )
    input_name: str = Field("text_input", min_length=1, description="the input that is the prompt")
    output_name: str = Field("text_output", min_length=1, description="the output that is the text")
    max_tokens: Annotated[int, between(1, 32_768)] = Field(64, description="longest answer")
    parameters: Mapping[str, prediction.Json] = Field(
        default_factory=dict, description="sent besides `max_tokens` at the request's top"
    )
    canaries: Annotated[tuple[GenerateCanary, ...], AfterValidator(_check)] = Field(
        (GenerateCanary(name="alive", prompt="Reply with the one word: ready"),),
        description="asked in turn, one a run",
    )
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries."""
        return tuple(
            Question(
                canary=canary.name,
                text=canary.prompt,
                checks=canary.checks + self.checks,
                required=canary.required,
                optional=canary.optional,
                prompt=PromptKind.COLD if canary.cold else PromptKind.WARM,
                cost_tokens=len(canary.prompt) // 4 + self.max_tokens,
            )
            for canary in self.canaries
        )

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the prompt."""
        cold = question.prompt is PromptKind.COLD
        text = f"[{secrets.token_hex(8)}]\n{question.text}" if cold else question.text
        version = f"/versions/{prediction.segment(self.version)}" if self.version else ""
        path = f"v2/models/{prediction.segment(self.model)}{version}"
        body = {"max_tokens": self.max_tokens, **self.parameters, "stream": self.stream}
        return await prediction.ask(
            self,
            transport,
            path=f"{path}/generate_stream" if self.stream else f"{path}/generate",
            body={self.input_name: text, **body},
            headers={"Accept": "text/event-stream", **self.headers}
            if self.stream
            else self.headers,
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the answer; of a stream also the times of its pieces."""
        del question
        if not self.stream:
            return prediction.observe(exchange, self._whole)
        # An error may come inside a stream that began well; the end of the body is the stream's.
        said = _Said()
        if exchange.status is not None and 200 <= exchange.status < 300:
            said.read(events(exchange.chunks), self.output_name)
        seen = prediction.observe(exchange, lambda _: Observation())
        reason, detail = _failure(exchange, said)
        written = exchange.times.written
        first = None if written is None or not said.times else max(0.0, said.times[0] - written)
        return replace(
            seen,
            reason=reason,
            detail=detail,
            answer="".join(said.answer) or seen.answer[:2000],
            served_model=said.served_model,
            first_token_seconds=first,
            first_answer_seconds=first,
            chunk_gap_max_seconds=said.gap_seconds(),
        )

    def _whole(self, body: bytes) -> Observation:
        document = prediction.finite(prediction.parsed(body))
        text = prediction.member(document, self.output_name)
        if not isinstance(text, str):
            raise FaultError(Reason.SCHEMA, f"{self.output_name!r} is no text")
        if not text:
            raise FaultError(Reason.EMPTY, "the answer is empty")
        served = document.get("model_name")
        return Observation(
            answer=text,
            document=document,
            served_model=served if isinstance(served, str) else None,
        )


@dataclass(kw_only=True, slots=True)
class _Said:
    """What a stream has said so far."""

    answer: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    served_model: str | None = None
    fault: tuple[Reason, str] | None = None

    def read(self, found: Iterable[Event], key: str) -> None:
        """Take events until one is wrong."""
        try:
            for event in found:
                self._take(event, key)
        except FaultError as error:
            self.fault = error.reason, error.detail

    def _take(self, event: Event, key: str) -> None:
        if not event.whole:
            raise FaultError(Reason.STREAM_TRUNCATED, "the stream ends inside an event")
        document: Any = prediction.finite(prediction.parsed(event.data.encode()))
        if isinstance(document, Mapping) and document.get("error"):
            raise FaultError(Reason.STREAM_ERROR, "an error inside the stream")
        text = prediction.member(document, key)
        if not isinstance(text, str):
            raise FaultError(Reason.SCHEMA, f"{key!r} is no text")
        served = document.get("model_name")
        self.served_model = served if isinstance(served, str) else self.served_model
        if text:
            self.answer.append(text)
            self.times.append(event.at)

    def gap_seconds(self) -> float | None:
        """Return the longest wait between two pieces, None under two."""
        pairs = zip(self.times, self.times[1:], strict=False)
        return max((after - before for before, after in pairs), default=None)


def _failure(exchange: Exchange, said: _Said) -> tuple[Reason | None, str]:
    """Decide why this is no whole answer: what the stream says, else how it ended."""
    reason, detail = refusal(exchange) or (None, "")
    if said.fault and (reason is None or said.fault[0] is not Reason.STREAM_TRUNCATED):
        return said.fault
    if reason in _LATE and not said.times:
        return Reason.TIMEOUT_FIRST_TOKEN, "no token came in time"
    if reason is Reason.PROTOCOL and said.times:
        return Reason.STREAM_TRUNCATED, "the connection ended before the stream"
    if reason is None and not said.times:
        return Reason.EMPTY, "the answer is empty"
    return reason, detail
