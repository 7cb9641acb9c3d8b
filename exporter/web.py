"""/metrics /probe /sd /api/v1/targets; page.py has the pages, the toolkit health and reload."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from exporter import debug, exposition, on_demand
from exporter.agent import Surroundings
from exporter.budget import cost_tokens
from exporter.fleet import Fleet
from exporter.gzipped import gzipped
from exporter.history import PastRun
from exporter.negotiation import wants_gzip, wants_openmetrics
from exporter.page import People
from exporter.probe import probes
from exporter.record import TargetRecord
from exporter.sheet import Shown
from exporter.target import Skip
from toolkit.web import WebConfig, application, without_deadline

_MOST_PROBES = 50
_SD_REFRESH = "X-Prometheus-Refresh-Interval-Seconds"


class Pages:
    """The handlers; they read the fleet and change nothing."""

    def __init__(self, fleet: Fleet, around: Surroundings) -> None:
        self._fleet = fleet
        self._around = around
        self._exposition = exposition.Exposition()
        self._probing = 0

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer /metrics: the fleet's families, then the exporter's own."""
        openmetrics = wants_openmetrics(request.headers.get("Accept", ""))
        shown = await self._exposition.render_between(
            self._fleet.records,
            now=self._around.clock(),
            openmetrics=openmetrics,
            most_series=self._fleet.max_series,
        )
        instruments = self._around.instruments
        instruments.count_series(shown=shown.series, left_out=shown.left_out)
        own = instruments.render(openmetrics=openmetrics)
        headers = {
            "Content-Type": exposition.OPENMETRICS if openmetrics else exposition.TEXT,
            "Vary": "Accept, Accept-Encoding",
        }
        if wants_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
            body = await asyncio.to_thread(lambda: gzipped(shown.packed(), own))
            return web.Response(body=body, headers=headers)
        return web.Response(body=_by_blocks(shown, own), headers=headers)

    async def probe(self, request: web.Request) -> web.Response:
        """Answer /probe: one run at once; 400 for what the configuration does not allow."""
        results = self._around.instruments.requests
        try:
            asked = on_demand.prepare(
                self._fleet.modules,
                request.query,
                request.headers.get("X-Prometheus-Scrape-Timeout-Seconds"),
            )
        except on_demand.RefusedError as error:
            results.labels("refused").inc()
            return web.Response(status=400, text=f"{error}\n")
        if self._probing >= _MOST_PROBES:
            results.labels("busy").inc()
            return web.Response(status=503, text=f"{_MOST_PROBES} probes run; try again later\n")
        around = self._around
        held = around.ledger.hold(asked.question.cost_tokens, around.wall_clock())
        if isinstance(held, Skip):
            results.labels("refused").inc()
            return web.Response(
                status=503, text="the budget of all runs is spent; wait, or raise it\n"
            )
        results.labels("ran").inc()
        self._probing += 1
        try:
            answer = await on_demand.run(asked, around.transport)
        finally:
            self._probing -= 1
        cost = cost_tokens(asked.question, answer.made.exchange, answer.made.observation)
        around.ledger.settle(held, cost, around.wall_clock())
        if request.query.get("debug") == "true":
            return web.Response(text=debug.text(asked, answer))
        return web.Response(body=answer.exposition, headers={"Content-Type": exposition.TEXT})

    async def sd(self, _request: web.Request) -> web.Response:
        """Answer /sd in the form of Prometheus' http_sd: every target, for a job on /probe."""
        groups = [_sd_group(record) for record in self._fleet.records]
        return _json(groups, {_SD_REFRESH: "60"})

    async def targets(self, _request: web.Request) -> web.Response:
        """Answer /api/v1/targets: state, measurements and last failures of each."""
        now = self._around.clock()
        return _json({"targets": [described(record, now) for record in self._fleet.records]})


def build(
    fleet: Fleet,
    around: Surroundings,
    config: WebConfig,
    reload: Callable[[], Awaitable[None]],
) -> web.Application:
    """Make the application."""
    app = application(ready=lambda: fleet.started, reload=reload, web=config)
    pages = Pages(fleet, around)
    People(fleet, clock=around.clock).register(app)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/sd", pages.sd)
    app.router.add_get("/api/v1/targets", pages.targets)

    async def probe(request: web.Request) -> web.StreamResponse:
        return await pages.probe(request)

    # A run keeps its module's timeout, which may be longer than the web side's.
    app.router.add_get("/probe", without_deadline(probe))
    return app


def described(record: TargetRecord, now: float) -> dict[str, Any]:
    """Return one target as /api/v1/targets shows it."""
    target, last = record.target, record.current(now)
    return {
        "name": target.name,
        "kind": probes.kind_of(target),
        "host": target.host,
        "labels": dict(target.labels),
        "state": record.state(now),
        "reason": last.reason if last else None,
        "last_run_timestamp_seconds": record.last_run_timestamp_seconds,
        "interval_seconds": record.interval_seconds,
        "success": last.success if last else None,
        "measurements": record.measurements(now),
        "failures": [_failure(run) for run in record.failures],
    }


def _failure(run: PastRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "timestamp_seconds": run.finished_timestamp_seconds,
        "reason": run.reason,
        "detail": run.detail,
        "status_code": run.status_code,
        "phases": run.phases,
        "excerpt": run.excerpt,
    }


def _sd_group(record: TargetRecord) -> dict[str, Any]:
    target = record.target
    own = {f"__meta_vigie_label_{name}": value for name, value in target.labels.items()}
    about = {
        "__meta_vigie_target": target.name or "",
        "__meta_vigie_kind": probes.kind_of(target),
        "__meta_vigie_model": target.model_name,
    }
    return {"targets": [target.url or ""], "labels": {**about, **own}}


def _json(data: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(data), content_type="application/json", headers=headers or {}
    )


async def _by_blocks(shown: Shown, own: bytes) -> AsyncIterator[bytes]:
    """Yield a scrape in parts, each made when the one before it is on its way."""
    blocks = iter(shown.blocks())
    while block := await asyncio.to_thread(next, blocks, b""):
        yield block
    yield own
