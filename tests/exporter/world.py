"""A world for an agent: a clock that only it moves, and answers that are given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from exporter.agent import JuniorAgent, Surroundings
from exporter.canary import Canary
from exporter.instruments import Instruments
from exporter.probes.http import Http
from exporter.probes.openai_chat import OpenAIChat
from exporter.record import TargetRecord
from exporter.target import Chunk, Exchange, Target, Times
from exporter.transport import Request
from tests.exporter.servers import DONE, delta, event, finished

Answer = Callable[[Request], Exchange]
USAGE = event(b'{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}')


class World:
    """A clock that only sleep and exchanges move, and a transport with given answers."""

    def __init__(self, answer: Answer, *, took_seconds: float = 0.1) -> None:
        self.now = 1000.0
        self.took_seconds = took_seconds
        self.answer = answer
        self.asked: list[tuple[float, Request]] = []
        self.instruments = Instruments()
        self.around = Surroundings(
            transport=self,
            instruments=self.instruments,
            clock=lambda: self.now,
            wall_clock=lambda: self.now + 1e9,
            sleep=self.sleep,
            chance=lambda: 0.5,
        )

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.now += seconds
        await asyncio.sleep(0)

    async def exchange(self, request: Request) -> Exchange:
        """Give the answer after the time it takes."""
        self.asked.append((self.now, request))
        if "metrics" not in request.url:
            await asyncio.sleep(0.01)  # what goes on beside the run begins first
            await self.sleep(self.took_seconds)
        return self.answer(request)

    def agent(self, target: Target) -> JuniorAgent:
        """Make an agent in this world."""
        return JuniorAgent(TargetRecord(target, now=self.now), self.around)

    def value(self, name: str) -> float | None:
        """Return one of the exporter's own figures."""
        return self.instruments.registry.get_sample_value(name)


def exchange(body: bytes = b"ok", **given: Any) -> Exchange:
    """Make an exchange."""
    times = Times(begin=1.0, end=1.5, connect_begin=1.0, connect_end=1.1, written=1.1)
    fields: dict[str, Any] = {"times": times, "status": 200, "complete": True}
    return Exchange(**(fields | {"chunks": (Chunk(at=1.4, data=body),)} | given))


def says(text: str) -> Exchange:
    """Make an exchange with a streamed answer."""
    body = delta(text) + finished() + USAGE + DONE
    return exchange(body, headers={"content-type": "text/event-stream"})


def http(**fields: Any) -> Http:
    """Make a target of the kind http."""
    return Http.model_validate(
        {"name": "t", "url": "http://h", "interval": "10s", "timeout": "5s", **fields}
    )


def chat(*canaries: Canary, **fields: Any) -> OpenAIChat:
    """Make a target of the kind openai_chat."""
    target = OpenAIChat(name="t", url="http://h", interval=10, timeout=5, model="m", **fields)
    return target.model_copy(update={"canaries": canaries} if canaries else {})
