"""POST /api/v1/quarantine/requeue: a post in quarantine is read again."""

from __future__ import annotations

import asyncio
import dataclasses

import orjson
from aiohttp import web

from responder.intake import Intake, OverloadedError
from responder.requeue import read_again
from responder.store.engine import StoreUnavailableError
from responder.store.store import Store

_LARGEST_BODY_BYTES = 1000


class Requeuing:
    """Answers with what came of reading a post again; users are those of the whole application."""

    def __init__(self, store: Store, intake: Intake) -> None:
        """Keep what it works with."""
        self._store = store
        self._intake = intake
        self._turn = asyncio.Lock()

    def register(self, app: web.Application) -> None:
        """Add the route to *app*."""
        app.router.add_post("/api/v1/quarantine/requeue", self._requeue)

    async def _requeue(self, request: web.Request) -> web.StreamResponse:
        # A form on somebody else's page cannot send this content type.
        if request.content_type != "application/json":
            return web.Response(status=415, text="send JSON, with its content type\n")
        delivery_id = _named(await request.content.read(_LARGEST_BODY_BYTES))
        if delivery_id is None:
            return web.Response(status=400, text='send {"id": "..."}, a post in quarantine\n')
        try:
            async with self._turn:  # two at once might store one post twice
                told = await read_again(self._store, self._intake, delivery_id)
        except (OverloadedError, StoreUnavailableError) as error:
            return web.Response(status=503, text=f"{error}\n", headers={"Retry-After": "5"})
        body = orjson.dumps(dataclasses.asdict(told))
        return web.Response(body=body, content_type="application/json")


def _named(body: bytes) -> str | None:
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    named = asked.get("id") if isinstance(asked, dict) else None
    return named if isinstance(named, str) and named else None
