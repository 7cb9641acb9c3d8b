"""A Prometheus and Alertmanagers that say what a test tells them, and a comparison that asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import sqlalchemy as sa
from aiohttp import web

from responder.absence import fingerprint
from responder.admission import Rules
from responder.comparison import Comparison
from responder.config import ComparisonSettings
from responder.incident import Policy
from responder.intake import Intake
from responder.late import Late
from responder.metrics import Metrics
from responder.sources.alertmanager import AlertmanagerSource
from responder.sources.prometheus import PrometheusSource
from responder.store import replicas
from responder.store.replicas import Presence
from responder.store.store import Store
from responder.store.tables import episode_facts, episodes, incident_log

T0 = 1_800_000_000.0
EVERY_SECONDS = 15.0
GENERATOR = "http://prometheus.example/graph?g0.expr=up"
ROUTES = """
route: {receiver: ours, group_wait: 1s, group_interval: 5s}
receivers: [{name: ours}]
"""
_WIDTH = re.compile(r"\[(\d+)ms\]")


def labels_of(name: str, **more: str) -> dict[str, str]:
    """Name an alert as its rule does."""
    return {"alertname": name, "severity": "warning"} | more


def moment(at: float) -> str:
    """Write a time as Alertmanager does."""
    return datetime.fromtimestamp(at, UTC).isoformat()


@dataclass(kw_only=True, slots=True)
class Alertmanager:
    """Lists alerts; `broken` maps paths to the status that they are answered with."""

    routes: str = ROUTES
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    hangs: bool = False
    asked: int = 0
    url: str = ""

    def lists(
        self,
        labels: Mapping[str, str],
        starts_at: float,
        *,
        receiver: str = "ours",
        state: str = "active",
        **held: Sequence[str],
    ) -> None:
        """List an alert from now on."""
        key = fingerprint(labels)
        status = {"state": state, "silencedBy": [], "inhibitedBy": [], **held}
        self.entries[key] = {
            "labels": dict(labels),
            "annotations": {},
            "startsAt": moment(starts_at),
            "endsAt": moment(starts_at + 240),
            "updatedAt": moment(starts_at),
            "generatorURL": GENERATOR,
            "fingerprint": key,
            "receivers": [{"name": receiver}],
            "status": status,
        }

    def forgets(self, labels: Mapping[str, str]) -> None:
        """List it no more."""
        self.entries.pop(fingerprint(labels), None)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer its API."""
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(3600)
        if request.path in self.broken:
            return web.Response(status=self.broken[request.path])
        if request.path == "/api/v2/alerts":
            return web.json_response(list(self.entries.values()))
        return web.json_response({"config": {"original": self.routes}})


@dataclass(kw_only=True, slots=True)
class Prometheus:
    """Evaluates every 15 s; a question over more than `most_seconds` is `refused_by`."""

    config: str = "global: {external_labels: {region: north}}"
    fired: list[tuple[Mapping[str, str], float, float]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    most_seconds: float = 1e9
    refused_by: int = 200
    slices: list[tuple[float, float]] = field(default_factory=list)
    url: str = ""

    def fires(self, labels: Mapping[str, str], start: float, end: float = 1e12) -> None:
        """Let an alert fire between two times."""
        self.fired.append((labels, start, end))

    async def answer(self, request: web.Request) -> web.Response:
        """Answer its API."""
        if request.path in self.broken:
            return web.Response(status=self.broken[request.path])
        if request.path == "/api/v1/rules":
            names = {labels["alertname"] for labels, _, _ in self.fired}
            rules = [{"name": name} for name in names]
            groups = [{"interval": EVERY_SECONDS, "rules": rules}]
            return web.json_response({"data": {"groups": groups}})
        if request.path == "/api/v1/status/config":
            return web.json_response({"data": {"yaml": self.config}})
        return self._samples(request)

    def _samples(self, request: web.Request) -> web.Response:
        found = _WIDTH.search(request.query["query"])
        assert found
        end, width = float(request.query["time"]), int(found[1]) / 1000
        if width > self.most_seconds:
            return web.Response(status=self.refused_by, body=b" " * (1 << 16))
        self.slices.append((end - width, end))
        result = [
            {
                "metric": {"__name__": "ALERTS", "alertstate": "firing"} | dict(labels),
                "values": [[at, "1"] for at in _between(first, last, end - width, end)],
            }
            for labels, first, last in self.fired
        ]
        body = {"data": {"result": [each for each in result if each["values"]]}}
        return web.json_response(body | ({"warnings": self.warnings} if self.warnings else {}))


def _between(first: float, last: float, start: float, end: float) -> list[float]:
    at, found = first + max(0, (start - first) // EVERY_SECONDS) * EVERY_SECONDS, []
    while at < min(last, end):
        if at > start:
            found.append(at)
        at += EVERY_SECONDS
    return found


@dataclass(kw_only=True, slots=True)
class Scene:
    """A store with an intake, and a comparison, whose clock the test sets."""

    store: Store
    session: aiohttp.ClientSession
    alertmanagers: list[Alertmanager]
    prometheis: list[Prometheus]
    settings: ComparisonSettings = field(default_factory=ComparisonSettings)
    timeout_seconds: float = 5.0
    now: float = T0
    metrics: Metrics = field(default_factory=lambda: Metrics(version="t"))

    def intake(self) -> Intake:
        """Make an intake."""
        rules = Rules(policy=Policy(), channels=("log",), pending_limit=1000)
        return Intake(self.store, lambda: rules, clock=lambda: self.now, wake=lambda: None)

    def comparison(self, replica_id: str = "one") -> Comparison:
        """Make a comparison, as a start of the program does."""
        return Comparison(
            self.store,
            Late(self.intake(), clock=lambda: self.now),
            self.session,
            self.metrics,
            settings=lambda: self.settings,
            sources=self._sources,
            clock=lambda: self.now,
            replica_id=replica_id,
        )

    def _sources(self) -> list[object]:
        timeout = f"{self.timeout_seconds * 1000:.0f}ms"
        make = {"timeout": timeout, "max_bytes": 1 << 15}
        return [
            *(AlertmanagerSource(url=each.url, timeout=timeout) for each in self.alertmanagers),
            *(PrometheusSource.model_validate({"url": p.url} | make) for p in self.prometheis),
        ]

    async def beats(self, replica_id: str = "one") -> None:
        """Let a replica be alive."""
        presence = Presence(id=replica_id, name=replica_id, version="t", dead_after_seconds=600)
        await self.store.write(lambda database: replicas.beat(database, presence))

    async def posted(
        self, labels: Mapping[str, str], starts_at: float, ends_at: float | None = None
    ) -> None:
        """Let Alertmanager post an alert now: one that fires, or one that is over."""
        entry = {
            "status": "firing" if ends_at is None else "resolved",
            "labels": dict(labels),
            "annotations": {},
            "startsAt": moment(starts_at),
            "endsAt": "0001-01-01T00:00:00Z" if ends_at is None else moment(ends_at),
            "generatorURL": GENERATOR,
            "fingerprint": fingerprint(labels),
        }
        body = {"version": "4", "receiver": "ours", "groupKey": "{}", "alerts": [entry]}
        await self.intake().alerts(orjson.dumps(body))

    async def episodes(self, name: str) -> Sequence[Any]:
        """Give the episodes of that alertname."""
        query = sa.select(episodes).where(episodes.c.alertname == name)
        return await self.store.read(lambda database: database.execute(query).all())

    async def facts(self, episode_id: str) -> Sequence[str]:
        """Give what deliveries told of an episode, in order."""
        table = episode_facts
        query = sa.select(table.c.fact).where(table.c.episode_id == episode_id)
        return await self.store.read(
            lambda d: d.execute(query.order_by(table.c.id)).scalars().all()
        )

    async def history(self, incident_id: str) -> str:
        """Give what an incident's log says."""
        query = sa.select(incident_log.c.text).where(incident_log.c.incident_id == incident_id)
        return "\n".join(await self.store.read(lambda d: d.execute(query).scalars().all()))

    async def looks(self, comparison: Comparison, seconds: float, every: float = 60.0) -> None:
        """Let time pass, with a look each minute; the first one at once."""
        end = self.now + seconds
        await comparison.look()
        while self.now < end:
            self.now += every
            await comparison.look()

    def count(self, name: str) -> float:
        """Give one sample of the metrics."""
        lines = self.metrics.expose("")[0].decode().splitlines()
        return next(float(each.rpartition(" ")[2]) for each in lines if each.startswith(name + " "))
