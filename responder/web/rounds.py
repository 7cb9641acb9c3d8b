"""GET /patrol and /api/v1/patrol: what the senior's rounds hold, and what they had to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp_jinja2
import orjson
from aiohttp import web

from responder.patrol.concern import RoundReport, Standing
from responder.store import patrol
from responder.store.engine import Connection
from responder.store.store import Store
from responder.web.api import listed, moment_before


class Rounds:
    """Shows the rounds; users are those of the whole application."""

    def __init__(self, store: Store) -> None:
        """Keep what it reads."""
        self._store = store

    def register(self, app: web.Application) -> None:
        """Add the routes to *app*, which has the templates."""
        app.router.add_get("/patrol", self._page)
        app.router.add_get("/api/v1/patrol", self._json)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        standings, reports, limit = await self._read(request)
        older = f"/patrol?before={reports[-1].at:.3f}" if len(reports) == limit else ""
        context = {"standings": standings, "reports": reports, "next": older}
        return aiohttp_jinja2.render_template("patrol.html", request, context)

    async def _json(self, request: web.Request) -> web.StreamResponse:
        standings, reports, _ = await self._read(request)
        told: Mapping[str, Any] = {
            "standing": [each.model_dump(mode="json") for each in standings],
            "rounds": [each.model_dump(mode="json") for each in reports],
        }
        return web.Response(body=orjson.dumps(told), content_type="application/json")

    async def _read(
        self, request: web.Request
    ) -> tuple[Sequence[Standing], Sequence[RoundReport], int]:
        limit, before = listed(request), moment_before(request)

        def read(database: Connection) -> tuple[Sequence[Standing], Sequence[RoundReport]]:
            standing = [each for each in patrol.standings(database).values() if each.holds]
            return standing, patrol.rounds(database, limit, before)

        standing, reports = await self._store.read(read)
        first = sorted(standing, key=lambda each: (each.raised_at is None, -each.since))
        return first, reports, limit
