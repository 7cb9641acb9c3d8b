"""What Prometheus knows: the alert's rule and its series, the juniors', and those of components."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

import aiohttp
from pydantic import Field

from responder.access import Access, AccessError
from responder.investigation.evidence import CLOCK, Evidence, Quantity, Recalled, Status, Window
from responder.investigation.wording import span
from responder.prometheus_api import Api
from responder.prometheus_calls import read_calls
from responder.prometheus_context import Context, components_of, context
from responder.prometheus_reading import Reading, read_all
from responder.promql import graph_url
from responder.remote import Answer, unavailable
from responder.series import Columns, Grid, plain_series
from responder.source import Finding, Question, sources
from toolkit.settings import Duration

# How many scrape intervals before the alert and after it are looked at.
BEFORE = 120
AFTER = 120
# Answers take seconds, and a Date is whole seconds: less is no difference of clocks.
CLOCKS_DIFFER_SECONDS = 30.0
MOST_ASKED_POINTS = 240


@sources.register("prometheus")
class PrometheusSource(Access):
    """A Prometheus, or what speaks its API (Thanos, Mimir, VictoriaMetrics)."""

    url: Annotated[str, Field(pattern=r"^https?://", description="its address")]
    external_url: str | None = Field(None, description="its address for people, in links")
    timeout: Duration = Field(10.0, gt=0, description="for the whole of its work")
    max_series: int = Field(2000, ge=1, le=50_000, description="columns of the frame")
    max_families: int = Field(80, ge=1, le=1000, description="metric families read for components")
    max_points: int = Field(720, ge=10, le=11_000, description="samples of a series")
    max_bytes: int = Field(16 << 20, ge=1024, description="of one answer")
    knows_past: ClassVar[bool] = True

    async def gather(self, question: Question) -> Finding:
        """Ask for the alert, the target, the components and the scrapes; never raises."""
        try:
            api = await self.api(question.session, question.deadline_seconds)
        except AccessError as error:
            return Finding(evidence=[_gone(question, str(error))])
        api = replace(api, moment=question.moment)
        known = await context(api, question)
        if known.unreachable:
            return Finding(evidence=[_gone(question, known.unreachable)])
        question, clock = _by_its_clock(question, known.ahead_seconds)
        grid = self._grid(question, known)
        reading = Reading(
            api=api,
            question=question,
            context=known,
            columns=Columns(grid=grid, most=self.max_series),
            link=self.shown_url,
            max_families=self.max_families,
        )
        await read_all(reading, read_calls)
        return Finding(evidence=[*reading.evidence, *clock], frame=reading.columns.frame())

    async def promql(self, query: str, window: Window, question: Question) -> tuple[Answer, Grid]:
        """Ask one query over a window, in a bounded number of points; never raises."""
        grid = Grid.over(window.start, window.end, 1.0, min(self.max_points, MOST_ASKED_POINTS))
        try:
            api = await self.api(question.session, question.deadline_seconds)
        except AccessError as error:
            return unavailable(str(error)), grid
        return await api.range(query, grid), grid

    async def components(
        self, label: str, session: aiohttp.ClientSession, deadline_seconds: float
    ) -> Mapping[str, str] | None:
        """Give what the juniors' target information says; None when it cannot be asked."""
        try:
            api = await self.api(session, deadline_seconds)
        except AccessError:
            return None
        return await components_of(api, label)

    async def recall(
        self,
        query: str,
        window: Window,
        step_seconds: float,
        session: aiohttp.ClientSession,
        deadline_seconds: float,
    ) -> Recalled:
        """Give what a query gave at another time; never raises for what the far end does."""
        try:
            api = await self.api(session, deadline_seconds)
        except AccessError as error:
            return Recalled(status=Status.UNAVAILABLE, problem=str(error))
        grid = Grid.over(window.start, window.end, step_seconds, self.max_points)
        answer = await api.range(query, grid)
        if answer.status is not Status.OK:
            return Recalled(status=answer.status, problem=answer.problem, seconds=answer.seconds)
        return Recalled(
            status=Status.OK,
            series=tuple(plain_series(answer.body[: self.max_series])),
            problem=answer.problem,
            seconds=answer.seconds,
            link=graph_url(self.shown_url, query, window.start, window.end),
        )

    @property
    def shown_url(self) -> str:
        """Its address for people."""
        return self.external_url or self.url

    async def api(self, session: aiohttp.ClientSession, deadline_seconds: float) -> Api:
        """Give its API, to be asked within the deadline that begins now; raises AccessError."""
        until = asyncio.get_running_loop().time() + min(self.timeout, deadline_seconds)
        remote = await self.remote(self.url, session, until=until, limit_bytes=self.max_bytes)
        return Api(remote=remote)

    def _grid(self, question: Question, known: Context) -> Grid:
        """Look from well before the alert to now, but not for ever at an old one."""
        step = known.interval_seconds
        fired = min(episode.alert.starts_at for episode in question.incident.episodes)
        fired = min(fired, question.window.end)
        start = max(question.window.start, fired - BEFORE * step)
        end = min(question.window.end, fired + AFTER * step)
        return Grid.over(start, end, step, self.max_points)


def _by_its_clock(question: Question, ahead_seconds: float) -> tuple[Question, list[Evidence]]:
    """Look at a window by Prometheus's clock, and say so, where that is not ours.

    Samples and alerts bear its times: by our clock their newest would be missed, or look as if
    every series had ended.
    """
    if abs(ahead_seconds) < CLOCKS_DIFFER_SECONDS or question.is_past:
        return question, []
    end = question.window.end + ahead_seconds
    way = "ahead of" if ahead_seconds > 0 else "behind"
    evidence = Evidence(
        id="",
        source="prometheus",
        title=CLOCK,
        query="the Date of its answers",
        window=question.window,
        status=Status.OK,
        quantities=(Quantity(name="ahead", value=round(ahead_seconds), unit="seconds"),),
        detail=f"Prometheus's clock is {span(abs(round(ahead_seconds)))} {way} the responder's:"
        " the times told are Prometheus's",
    )
    return replace(question, window=Window(start=question.window.start, end=end)), [evidence]


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
