"""Chat over OpenAI's streaming API: canary prompts, and the times at which tokens came."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter import dialect as dialects
from exporter import streaming
from exporter.canary import ALIVE, Canaries, prompt_of
from exporter.check import CheckField
from exporter.completion import read_stream, read_whole
from exporter.hearing import Hearing
from exporter.prediction import joined
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Target, between
from exporter.transport import Transport
from toolkit.settings import Duration


@probes.register("openai_chat")
class OpenAIChat(Target):
    """Asks for a streamed chat completion; right is a whole answer that holds the checks."""

    model: str = Field(min_length=1, max_length=200, description="the model to ask for")
    dialect: dialects.Name = Field(
        "auto", description="which fields the server takes; auto learns it, but not for /probe"
    )
    max_tokens: Annotated[int, between(1, 32_768)] = Field(64, description="longest answer")
    stall: Duration | None = Field(None, gt=0, description="longest wait for a token after another")
    canaries: Canaries = Field((ALIVE,), description="asked in turn, one a run")
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries."""
        return tuple(canary.question(self.checks, self.max_tokens) for canary in self.canaries)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Ask the question, reading until `[DONE]`."""
        messages = [{"role": "user", "content": prompt_of(question)}]
        body = dialects.streamed(
            self.dialect,
            {"model": self.model, "messages": messages},
            max_tokens=self.max_tokens,
            left_out=question.left_out,
        )
        return await streaming.ask(
            self,
            transport,
            url=joined(self.url or "", dialects.path(self.dialect, "chat/completions")),
            body=body,
            stall_seconds=self.stall,
            hearing=Hearing(),
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the stream: answer, reasoning, usage, and the times of its tokens."""
        del question
        said = streaming.completion_of(exchange, read_stream, read_whole)
        if self.dialect != "auto":
            return streaming.observation_of(exchange, said)
        refused = dialects.refused_fields(exchange.status, exchange.body)
        return streaming.observation_of(exchange, said, refused)
