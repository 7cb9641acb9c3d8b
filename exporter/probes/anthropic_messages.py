"""Messages over Anthropic's streaming API: canary prompts, and the times at which tokens came."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter import streaming
from exporter.anthropic import read_stream, read_whole
from exporter.canary import ALIVE, Canaries, prompt_of
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.hearing import Hearing
from exporter.prediction import joined
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Target, between
from exporter.transport import Transport
from toolkit.settings import Duration

_VERSION = "2023-06-01"


@probes.register("anthropic_messages")
class AnthropicMessages(Target):
    """Asks for a streamed message; right is a whole answer that holds the checks."""

    model: str = Field(min_length=1, max_length=200, description="the model to ask for")
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own: {x-api-key: {env: NAME}}"
    )
    max_tokens: Annotated[int, between(1, 32_768)] = Field(64, description="longest answer")
    stall: Duration | None = Field(None, gt=0, description="longest wait for a token after another")
    canaries: Canaries = Field((ALIVE,), description="asked in turn, one a run")
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries."""
        return tuple(canary.question(self.checks, self.max_tokens) for canary in self.canaries)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Ask the question, reading until the stream ends."""
        return await streaming.ask(
            self,
            transport,
            url=joined(self.url or "", "v1/messages"),
            body={
                "model": self.model,
                "max_tokens": self.max_tokens,
                "messages": [{"role": "user", "content": prompt_of(question)}],
                "stream": True,
            },
            stall_seconds=self.stall,
            hearing=Hearing("anthropic"),
            headers={"anthropic-version": _VERSION, **self.headers},
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the stream: answer, thinking, usage, and the times of its tokens."""
        del question
        said = streaming.completion_of(exchange, read_stream, read_whole)
        return streaming.observation_of(exchange, said)
