"""The lab's users: requests with a day's rhythm, and a surge when one is asked for."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import Field

from lab import addresses
from lab.component import Component, Site
from lab.dials import DialBox, Dials
from toolkit.lifecycle import Supervisor

CHAT_PEAK_PER_SECOND = 10.0
EMBEDDINGS_PEAK_PER_SECOND = 5.0
SCORER_PEAK_PER_SECOND = 5.0
NIGHT_RATIO = 0.5
PATIENCE_SECONDS = 10.0
IN_FLIGHT_AT_MOST = 64
SURGE_IN_FLIGHT_AT_MOST = 192
LONGEST_PAUSE_SECONDS = 1.0
TOPICS = (
    "the river in spring",
    "shipping delays",
    "a refund for order 1182",
    "the capital of Norway",
    "the capital of Japan",
    "12 plus 30 for me",
    "how to reset a password",
    "the weather on the coast",
    "7 times 6 in a sentence",
    "our opening hours",
)


class LoadDials(Dials):
    """How the load can be changed: a surge of chat requests on top of the day's rhythm."""

    surge_chat_per_second: float = Field(default=0.0, ge=0, le=500)


def rhythm(now: float, day_seconds: float) -> float:
    """Return the share of the peak rate at this time of the compressed day, night to 1."""
    swing = math.sin(2 * math.pi * now / day_seconds)
    return NIGHT_RATIO + (1 - NIGHT_RATIO) * (1 + swing) / 2


@dataclass(kw_only=True, slots=True)
class Stream:
    """Requests of one kind: arrivals at random around a rate, each answered beside the others.

    Arrivals do not wait for answers, as users do not wait for each other; over the bound in
    flight they are shed.
    """

    name: str
    rate: Callable[[float], float]
    send: Callable[[random.Random], Awaitable[None]]
    rng: random.Random
    in_flight_at_most: int = IN_FLIGHT_AT_MOST
    shed: int = 0
    _sent: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Send requests for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            while True:
                rate = self.rate(loop.time())
                gap = self.rng.expovariate(rate) if rate > 0 else LONGEST_PAUSE_SECONDS
                # A pause is never long, so that a turned dial is felt soon.
                arrives = gap <= LONGEST_PAUSE_SECONDS and rate > 0
                due = max(due + min(gap, LONGEST_PAUSE_SECONDS), loop.time())
                await asyncio.sleep(due - loop.time())
                if arrives:
                    self._arrive()
        finally:
            for task in self._sent:
                task.cancel()

    def _arrive(self) -> None:
        if len(self._sent) >= self.in_flight_at_most:
            self.shed += 1
            return
        # Short-lived and bounded in number: these are users, not tasks of the program's own.
        task = asyncio.create_task(self._send())
        self._sent.add(task)
        task.add_done_callback(self._sent.discard)

    async def _send(self) -> None:
        # Users see errors every day; what they see is told by the servers' own metrics.
        with suppress(aiohttp.ClientError, OSError):
            await self.send(self.rng)


@dataclass(kw_only=True, slots=True)
class Users:
    """What the lab's users send."""

    gateway: str
    scorer: str
    session: aiohttp.ClientSession | None = None

    async def chat(self, rng: random.Random) -> None:
        """Ask for a streamed answer of 12 to 24 tokens."""
        await self._post(
            f"{self.gateway}/v1/chat/completions",
            {
                "model": "lab-chat",
                "messages": [{"role": "user", "content": f"Tell me about {rng.choice(TOPICS)}"}],
                "stream": True,
                "max_tokens": rng.randint(12, 24),
            },
        )

    async def embeddings(self, rng: random.Random) -> None:
        """Embed one text."""
        await self._post(
            f"{self.gateway}/v1/embeddings",
            {"model": "lab-embed", "input": f"note on {rng.choice(TOPICS)}"},
        )

    async def score(self, rng: random.Random) -> None:
        """Score one payment."""
        entity = {"name": "entity_id", "datatype": "BYTES", "shape": [1]}
        amount = {"name": "amount", "datatype": "FP64", "shape": [1]}
        await self._post(
            f"{self.scorer}/v2/models/fraud/infer",
            {
                "inputs": [
                    {**entity, "data": [f"customer-{rng.randrange(500)}"]},
                    {**amount, "data": [round(rng.lognormvariate(4, 1), 2)]},
                ]
            },
        )

    async def _post(self, url: str, body: Mapping[str, Any]) -> None:
        assert self.session is not None  # noqa: S101 - the application is running
        async with self.session.post(url, json=body) as response:
            async for _ in response.content.iter_any():
                pass


def streams(users: Users, dials: DialBox[LoadDials], site: Site) -> tuple[Stream, ...]:
    """Return the streams of the day's rhythm, and the surge's, each with a seed of its own."""

    def daily(peak: float) -> Callable[[float], float]:
        return lambda now: peak * rhythm(now, site.day_seconds)

    def random_of(number: int) -> random.Random:
        return random.Random(site.seed * 1000 + number)  # noqa: S311 - users, not secrets

    return (
        Stream(name="chat", rate=daily(CHAT_PEAK_PER_SECOND), send=users.chat, rng=random_of(1)),
        Stream(
            name="embeddings",
            rate=daily(EMBEDDINGS_PEAK_PER_SECOND),
            send=users.embeddings,
            rng=random_of(2),
        ),
        Stream(
            name="scorer", rate=daily(SCORER_PEAK_PER_SECOND), send=users.score, rng=random_of(3)
        ),
        Stream(
            name="surge",
            rate=lambda _now: dials.now.surge_chat_per_second,
            send=users.chat,
            rng=random_of(4),
            in_flight_at_most=SURGE_IN_FLIGHT_AT_MOST,
        ),
    )


def build(site: Site) -> Component:
    """Return the load: an application without routes that sends while it runs."""
    app = web.Application()
    dials = DialBox(LoadDials())
    users = Users(
        gateway=addresses.url(site.addresses, "gateway:8080"),
        scorer=addresses.url(site.addresses, "scorer:8002"),
    )

    async def lives(_app: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        connector = aiohttp.TCPConnector(limit=2 * SURGE_IN_FLIGHT_AT_MOST)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as users.session,
            Supervisor(stop_within_seconds=1) as supervisor,
        ):
            for stream in streams(users, dials, site):
                supervisor.spawn(stream.name, stream.run)
            yield

    app.cleanup_ctx.append(lives)
    return Component(app=app, dials=dials)
