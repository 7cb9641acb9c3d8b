"""Verdicts of operators: POST JSON to the API, or the form of an incident's page."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from responder.store import verdicts
from responder.store.engine import StoreUnavailableError
from responder.store.store import Store
from responder.verdict import NoReportError, Verdict, VerdictError, said, told
from toolkit.credentials import user_of

LARGEST_BODY_BYTES = 32 * 1024


class Verdicts:
    """Takes verdicts; users are those of the whole application."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        """Keep what it works with."""
        self._store = store
        self._clock = clock

    def register(self, app: web.Application) -> None:
        """Add the routes to *app*."""
        app.router.add_post("/api/v1/incidents/{id}/verdict", self._json)
        app.router.add_post("/incidents/{id}/verdict", self._form)

    async def _json(self, request: web.Request) -> web.StreamResponse:
        # A form on somebody else's page cannot send this content type.
        if request.content_type != "application/json":
            return _refused(415, "body: must be JSON; send it with its content type")
        body = await _body(request)
        try:
            given = orjson.loads(body) if body is not None else None
        except orjson.JSONDecodeError:
            given = None
        if not isinstance(given, dict):
            return _refused(400, "body: no JSON object of at most 32 kB; send one")
        taken = await self._take(request, given)
        if isinstance(taken, web.StreamResponse):
            return taken
        return web.Response(body=orjson.dumps(data(taken)), content_type="application/json")

    async def _form(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/x-www-form-urlencoded":
            return _refused(415, "body: must be a form; use the API for JSON")
        if (request.content_length or 0) > LARGEST_BODY_BYTES:
            return _refused(413, "body: larger than 32 kB; shorten the note")
        fields = {name: value for name, value in (await request.post()).items() if value}
        taken = await self._take(request, fields)
        if isinstance(taken, web.StreamResponse):
            return taken
        raise web.HTTPSeeOther(f"/incidents/{taken.incident_id}#verdicts")

    async def _take(
        self, request: web.Request, given: Mapping[str, Any]
    ) -> Verdict | web.StreamResponse:
        incident_id, now = request.match_info["id"], self._clock()
        try:
            named = user_of(request.headers.get("Authorization"))
            # Who is known by a password speaks under no other name.
            read = said({**given, "by": named} if named else given)
            return await self._store.write(
                lambda database: verdicts.add(database, incident_id, read, now)
            )
        except NoReportError as error:
            return _refused(404, str(error))
        except VerdictError as error:
            return _refused(400, str(error))
        except StoreUnavailableError as error:
            return _refused(503, str(error))


def data(verdict: Verdict) -> dict[str, Any]:
    """Give a verdict as plain data."""
    shown = dataclasses.asdict(verdict)
    cause = {"component": shown.pop("component"), "kind": shown.pop("kind")}
    shown["verdict"] = shown.pop("ruling").value
    return {**shown, "cause": cause if any(cause.values()) else None, "told": told(verdict)}


async def _body(request: web.Request) -> bytes | None:
    read = bytearray()
    async for chunk in request.content.iter_any():
        read += chunk
        if len(read) > LARGEST_BODY_BYTES:
            return None
    return bytes(read)


def _refused(status: int, problem: str) -> web.StreamResponse:
    body = orjson.dumps({"error": problem})
    return web.Response(status=status, body=body, content_type="application/json")
