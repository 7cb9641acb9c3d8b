"""The pages for people: the targets by filter and page, and one target with its last runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp_jinja2
import jinja2
from aiohttp import web

from exporter import drawing, metrics
from exporter.excerpt import excerpt, secrets_of
from exporter.fleet import Fleet
from exporter.history import KEPT_FAILURES, KEPT_SUCCESSES
from exporter.overview import ROWS, STATES, RefusedError, overview, row, wanted
from exporter.probe import probes
from exporter.record import TargetRecord
from exporter.shown import filters
from exporter.target import Target
from toolkit.arguments import version

_HERE = Path(__file__).parent
_LINKS = ("metrics", "sd", "api/v1/targets", "-/healthy", "-/ready")


class People:
    """Renders the pages; it reads the fleet and changes nothing."""

    def __init__(self, fleet: Fleet, *, clock: Callable[[], float]) -> None:
        self._fleet = fleet
        self._clock = clock

    def register(self, app: web.Application) -> None:
        """Add the routes and templates."""
        environment = aiohttp_jinja2.setup(
            app,
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(filters())
        app.router.add_get("/", self._landing)
        app.router.add_get("/targets/{name:.+}", self._target)
        app.router.add_static("/static", _HERE / "static", append_version=False)

    async def _landing(self, request: web.Request) -> web.StreamResponse:
        try:
            asked = wanted(request.query, probes.kinds())
        except RefusedError as error:
            return web.Response(status=400, text=f"{error}\n")
        records, now = self._fleet.records, self._clock()
        # Ten thousand targets are sorted beside the loop, whose lateness is a measuring error.
        found = await asyncio.to_thread(overview, records, asked, now)
        context = {
            "asked": asked,
            "found": found,
            "states": STATES,
            "rows_at_once": ROWS,
            "version": version(),
            "links": _LINKS,
        }
        return await _page(request, "landing.html", context)

    async def _target(self, request: web.Request) -> web.StreamResponse:
        record = self._fleet.record(request.match_info["name"])
        if record is None:
            raise web.HTTPNotFound(text="no such target\n")
        now, target = self._clock(), record.target
        context = {
            "row": row(record, now),
            "target": target,
            "address": _address(target),
            "canaries": _canaries(record, now),
            "runs": record.history.runs(),
            "picture": drawing.picture,
            "drawing": drawing,
            "kept": (KEPT_SUCCESSES, KEPT_FAILURES),
        }
        return await _page(request, "target.html", context)


def _address(target: Target) -> str:
    """Return a target's address without its query, which may hold a key."""
    parts = urlsplit(target.url or "")
    return excerpt(f"{parts.scheme}://{parts.netloc}{parts.path}", secrets_of(target))


def _canaries(record: TargetRecord, now: float) -> Mapping[str, float]:
    """Return the share of right answers among each canary's last runs."""
    samples = record.samples(now).get(metrics.PASS_RATIO, ())
    return {dict(sample.labels)["canary"]: sample.value for sample in samples}


async def _page(request: web.Request, name: str, context: Mapping[str, Any]) -> web.StreamResponse:
    # Back to the root from wherever this is, so that a proxy may serve it all under a path.
    root = "../" * (request.rel_url.raw_path.count("/") - 1) or "./"
    whole = {"root": root, **context}
    return await asyncio.to_thread(aiohttp_jinja2.render_template, name, request, whole)
