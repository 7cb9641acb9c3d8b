"""What a replica reaches out to: evidence, the model, and where its reports go; all record it."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from lab.chaos.moments import Moments
from lab.mistral.limits import RateLimits
from lab.mistral.server import StandIn

_INCIDENT = re.compile(r'"id": ?"([0-9a-f]{8,64})"')
_BEARER = "Bearer "
_GONE = 499

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(kw_only=True, slots=True)
class Pace:
    """How long the ends take to answer, in seconds, at the most."""

    evidence_seconds: float = 0.15
    model_seconds: float = 0.2
    sink_seconds: float = 0.05


@dataclass(kw_only=True, slots=True)
class Call:
    """One call of the model; `ended_at` is None when its answer was never taken."""

    incident: str
    replica: str
    began_at: float
    ended_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One message that the sink took."""

    key: str
    event: str
    incident: str
    report: str
    replica: str
    at: float
    body: Any


@dataclass(kw_only=True, slots=True)
class Ends:
    """One web server for all three; a replica's name is in the path, at the sink in its token."""

    moments: Moments
    chance: random.Random
    pace: Pace = field(default_factory=Pace)
    calls: list[Call] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    model: StandIn = field(default_factory=lambda: StandIn(limits=_boundless()))
    replicas: Sequence[str] = ("r0",)
    sink_status: int = 200

    def register(self, app: web.Application) -> None:
        """Add the routes; the stand-in of the model answers below `/model/<replica>`."""
        app.router.add_get("/evidence/{replica}/api/v1/targets", self._evidence)
        app.router.add_post("/reports", self._sink)
        app.middlewares.append(self._recorded)
        for replica in self.replicas:
            app.add_subapp(f"/model/{replica}", self.model.application())

    def by_incident(self) -> dict[str, list[Call]]:
        """Give the model's calls of each incident, in their order."""
        found: dict[str, list[Call]] = defaultdict(list)
        for call in self.calls:
            found[call.incident].append(call)
        return found

    async def _evidence(self, request: web.Request) -> web.StreamResponse:
        replica = request.match_info["replica"]
        self.asked[replica] += 1
        self.moments.tell("gather", replica)
        await self._dawdle(self.pace.evidence_seconds)
        response = web.json_response({"targets": []})
        if await _sent(request, response):
            self.moments.tell("gathered", replica)
        return response

    @web.middleware
    async def _recorded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.endswith("/v1/chat/completions"):
            return await handler(request)
        replica, body = request.path.split("/")[2], await request.text()
        call = Call(incident=_incident(body), replica=replica, began_at=time.time())
        self.calls.append(call)
        self.moments.tell("analyse", replica)
        await self._dawdle(self.pace.model_seconds)
        try:
            response = await handler(request)
        except ConnectionError:  # whoever asked is dead
            return web.Response(status=_GONE)
        if await _sent(request, response):
            call.ended_at = time.time()
            self.moments.tell("analysed", replica)
        return response

    async def _sink(self, request: web.Request) -> web.StreamResponse:
        replica = request.headers.get("Authorization", "").removeprefix(_BEARER)
        body = await request.json()
        self.moments.tell("deliver", replica)
        await self._dawdle(self.pace.sink_seconds)
        if self.sink_status == 200:
            self.deliveries.append(_delivery(request, body, replica))
        response = web.Response(status=self.sink_status)
        if await _sent(request, response):
            self.moments.tell("delivered", replica)
        return response

    async def _dawdle(self, most_seconds: float) -> None:
        await asyncio.sleep(self.chance.uniform(0, most_seconds))


async def _sent(request: web.Request, response: web.StreamResponse) -> bool:
    """Send an answer to its last byte, so that what is told next comes after it; False when cut."""
    try:
        if not response.prepared:
            await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return False
    return True


def _delivery(request: web.Request, body: Any, replica: str) -> Delivery:
    return Delivery(
        key=request.headers.get("Idempotency-Key", ""),
        event=str(body["status"]),
        incident=str(body["incident"]["id"]),
        report=str((body.get("report") or {}).get("id", "")),
        replica=replica,
        at=time.time(),
        body=body,
    )


def _incident(body: str) -> str:
    """Find the incident that a request to the model is about."""
    for message in json.loads(body)["messages"]:
        found = _INCIDENT.search(str(message.get("content", "")))
        if found:
            return found[1]
    return ""


def _boundless() -> RateLimits:
    return RateLimits(requests_per_minute=1_000_000, tokens_per_minute=10**12, clock=time.monotonic)
