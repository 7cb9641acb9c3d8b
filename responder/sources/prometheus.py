"""What Prometheus knows: the alert's rule and its series, the juniors', and those of components."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import aiohttp
from pydantic import Field

from responder.investigation.evidence import Evidence, Status
from responder.prometheus_api import Api
from responder.prometheus_context import Context, components_of, context
from responder.prometheus_reading import Reading, read_all
from responder.remote import Remote
from responder.series import Columns, Grid
from responder.source import Finding, Question, sources
from toolkit.secrets import Secret
from toolkit.settings import Duration, Settings

# How many scrape intervals before the alert and after it are looked at.
BEFORE = 120
AFTER = 120


@sources.register("prometheus")
class PrometheusSource(Settings):
    """A Prometheus, or what speaks its API (Thanos, Mimir, VictoriaMetrics)."""

    url: Annotated[str, Field(pattern=r"^https?://", description="its address")]
    external_url: str | None = Field(None, description="its address for people, in links")
    bearer: Secret | None = Field(None, description="sent as Authorization: Bearer")
    headers: Mapping[str, str] = Field(
        default_factory=dict, description="sent with each question, such as X-Scope-OrgID"
    )
    timeout: Duration = Field(10.0, gt=0, description="for the whole of its work")
    max_series: int = Field(2000, ge=1, le=50_000, description="columns of the frame")
    max_families: int = Field(80, ge=1, le=1000, description="metric families read for components")
    max_points: int = Field(720, ge=10, le=11_000, description="samples of a series")
    max_bytes: int = Field(16 << 20, ge=1024, description="of one answer")

    async def gather(self, question: Question) -> Finding:
        """Ask for the alert, the target, the components and the scrapes; never raises."""
        api = self._api(question.session, question.deadline_seconds)
        api = replace(api, moment=question.moment)
        known = await context(api, question)
        if known.unreachable:
            return Finding(evidence=[_gone(question, known.unreachable)])
        grid = self._grid(question, known)
        reading = Reading(
            api=api,
            question=question,
            context=known,
            columns=Columns(grid=grid, most=self.max_series),
            link=self.external_url or self.url,
            max_families=self.max_families,
        )
        await read_all(reading)
        return Finding(evidence=reading.evidence, frame=reading.columns.frame())

    async def components(
        self, label: str, session: aiohttp.ClientSession, deadline_seconds: float
    ) -> Mapping[str, str] | None:
        """Give what the juniors' target information says; None when it cannot be asked."""
        return await components_of(self._api(session, deadline_seconds), label)

    def _api(self, session: aiohttp.ClientSession, deadline_seconds: float) -> Api:
        headers = dict(self.headers)
        if self.bearer is not None:
            headers["Authorization"] = f"Bearer {self.bearer.reveal()}"
        remote = Remote(
            url=self.url,
            session=session,
            until=asyncio.get_running_loop().time() + min(self.timeout, deadline_seconds),
            limit_bytes=self.max_bytes,
            headers=headers,
        )
        return Api(remote=remote)

    def _grid(self, question: Question, known: Context) -> Grid:
        """Look from well before the alert to now, but not for ever at an old one."""
        step = known.interval_seconds
        fired = min(episode.alert.starts_at for episode in question.incident.episodes)
        fired = min(fired, question.window.end)
        start = max(question.window.start, fired - BEFORE * step)
        end = min(question.window.end, fired + AFTER * step)
        return Grid.over(start, end, step, self.max_points)


def _gone(question: Question, problem: str) -> Evidence:
    return Evidence(
        id="",
        source="prometheus",
        title="Prometheus",
        query="rules, series and targets",
        window=question.window,
        status=Status.UNAVAILABLE,
        detail=problem,
    )
