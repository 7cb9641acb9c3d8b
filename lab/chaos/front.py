"""Stands between Alertmanager and the replicas as a load balancer would, and keeps the ledger."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from lab.chaos.alerts import seconds
from lab.chaos.moments import Moments

PATH = "/webhook/alertmanager"
_FORWARD_SECONDS = 30.0
_LARGEST_BODY_BYTES = 64 << 20


@dataclass(kw_only=True, slots=True)
class Acknowledged:
    """One alert that was answered 200; times by our clock, `ended` once a resolution was."""

    labels: Mapping[str, str]
    first_at: float
    posts: int = 0
    ended: bool = False
    senders: set[str] = field(default_factory=set)


Key = tuple[str, float]
"""A fingerprint and when it began to fire, in seconds since the epoch, to the millisecond."""


@dataclass(kw_only=True, slots=True)
class Ledger:
    """What was acknowledged, kept outside the product."""

    alerts: dict[Key, Acknowledged] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    delivered_alerts: int = 0
    last_post_at: float = 0.0

    def quiet_seconds(self) -> float:
        """Tell for how long nothing has been posted."""
        return time.time() - self.last_post_at

    def note(self, sender: str, body: bytes) -> None:
        """Note every alert of a post that was answered 200."""
        now = time.time()
        for alert in json.loads(body)["alerts"]:
            self.delivered_alerts += 1
            key = (alert["fingerprint"], round(seconds(alert["startsAt"]), 3))
            labels = alert["labels"]
            entry = self.alerts.setdefault(key, Acknowledged(labels=labels, first_at=now))
            entry.posts += 1
            entry.ended = entry.ended or alert["status"] == "resolved"
            entry.senders.add(sender)

    def quantile_seconds(self, share: float) -> float:
        """Give the time that this share of the acknowledged posts took at the most."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """One replica that posts can go to."""

    name: str
    url: str


@dataclass(kw_only=True, slots=True)
class Front:
    """Hands each post to a replica that takes connections; `backends` are asked anew each time.

    A replica that breaks off in the middle is a 502, as with any balancer that does not repeat a
    POST; Alertmanager sends it again.
    """

    backends: Callable[[], Sequence[Backend]]
    moments: Moments
    session: aiohttp.ClientSession
    chance: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    held: asyncio.Event = field(default_factory=asyncio.Event)

    def register(self, app: web.Application) -> None:
        """Add the route: the sender's name, then the webhook's own path."""
        self.held.set()
        app.router.add_post("/from/{sender}" + PATH, self._take)

    async def _take(self, request: web.Request) -> web.Response:
        sender, body = request.match_info["sender"], await request.read()
        await self.held.wait()
        status, text = await self._forward(sender, body, request.headers)
        self.ledger.statuses[status] += 1
        self.ledger.last_post_at = time.time()
        headers = {"Retry-After": "1"} if status == 503 else {}
        return web.Response(status=status, text=text, headers=headers)

    async def _forward(
        self, sender: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        backends = list(self.backends())
        self.chance.shuffle(backends)
        for backend in backends:
            try:
                return await self._post(backend, sender, body, headers)
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                return 502, f"{backend.name}: {type(error).__name__}\n"
        return 502, "no replica takes connections\n"

    async def _post(
        self, backend: Backend, sender: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        began = time.perf_counter()
        self.moments.tell("received", backend.name)
        async with self.session.post(
            f"{backend.url}{PATH}",
            data=body,
            headers={"Content-Type": headers.get("Content-Type", "application/json")},
            timeout=aiohttp.ClientTimeout(total=_FORWARD_SECONDS),
        ) as answer:
            text = await answer.text()
            status = answer.status
        if status == 200:
            self.ledger.seconds.append(time.perf_counter() - began)
            self.ledger.note(sender, body)
            self.moments.tell("acknowledged", backend.name)
        return status, text


def application(*parts: Any) -> web.Application:
    """Make an application of parts that register themselves."""
    app = web.Application(client_max_size=_LARGEST_BODY_BYTES)
    for part in parts:
        part.register(app)
    return app
