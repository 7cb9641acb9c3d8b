"""The ledger's page and its JSON: what was spent, of how much, and the last calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import aiohttp_jinja2
import orjson
from aiohttp import web

from responder.ceilings import ALL, Ceilings, Spent, Sums
from responder.store import spending
from responder.store.spending import Entry
from responder.store.store import Store

_LISTED = 100
_SHOWN = ("day", "month")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was spent in a window, of how much; no model: of all."""

    window: str
    model: str
    calls: int
    tokens: int
    price: float
    tokens_ceiling: int | None
    price_ceiling: float | None


class Spending:
    """Shows the ledger; *ceilings* gives them as configured now."""

    def __init__(
        self, store: Store, ceilings: Callable[[], Ceilings | None], *, clock: Callable[[], float]
    ) -> None:
        """Keep what it reads."""
        self._store = store
        self._ceilings = ceilings
        self._clock = clock

    def register(self, app: web.Application) -> None:
        """Add the routes to *app*."""
        app.router.add_get("/spend", self._page)
        app.router.add_get("/api/v1/spend", self._json)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        rows, calls, ceilings = await self._read()
        context = {"rows": rows, "calls": calls, "ceilings": ceilings}
        return aiohttp_jinja2.render_template("spend.html", request, context)

    async def _json(self, _request: web.Request) -> web.StreamResponse:
        rows, calls, ceilings = await self._read()
        data = {
            "spent": [asdict(each) for each in rows],
            "incident_ceilings": ceilings.model_dump(mode="json")["incident"] if ceilings else None,
            "calls": [asdict(each) for each in calls],
        }
        return web.Response(body=orjson.dumps(data), content_type="application/json")

    async def _read(self) -> tuple[list[Row], list[Entry], Ceilings | None]:
        now, ceilings = self._clock(), self._ceilings()
        sums = await self._store.read(lambda database: spending.sums(database, now))
        calls = await self._store.read(lambda database: spending.entries(database, _LISTED))
        return list(_rows(sums, ceilings or Ceilings.none())), list(calls), ceilings


def _rows(sums: Sums, ceilings: Ceilings) -> Iterator[Row]:
    limits = {(window, model): ceiling for window, model, ceiling in ceilings.each()}
    models = sorted({ALL, *ceilings.models, *(model for _, model in sums)})
    for window in _SHOWN:
        for model in models:
            spent, limit = sums.get((window, model), Spent()), limits.get((window, model))
            yield Row(
                window=window,
                model=model,
                calls=spent.calls,
                tokens=spent.tokens,
                price=spent.price,
                tokens_ceiling=limit.tokens if limit else None,
                price_ceiling=limit.price if limit else None,
            )
