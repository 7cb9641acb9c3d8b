"""JSON under /api/v1: incidents with their reports, and changes."""

from __future__ import annotations

import time
from typing import Any

import orjson
from aiohttp import web

from responder.incident import Incident
from responder.store import deliveries, views
from responder.store.store import Store
from responder.store.views import File, Line
from responder.workflows import change_data

_LISTED = 100
_MOST_LISTED = 1000
_CHANGES_SECONDS = 7 * 24 * 3600.0


class Api:
    """Reads the store and answers with plain data."""

    def __init__(self, store: Store) -> None:
        """Keep the store."""
        self._store = store

    def register(self, app: web.Application) -> None:
        """Add the routes to *app*."""
        app.router.add_get("/api/v1/incidents", self._incidents)
        app.router.add_get("/api/v1/incidents/{id}", self._incident)
        app.router.add_get("/api/v1/changes", self._changes)

    async def _incidents(self, request: web.Request) -> web.StreamResponse:
        limit = listed(request)
        lines = await self._store.read(lambda database: views.lines(database, limit))
        return _json({"incidents": [line_data(line) for line in lines]})

    async def _incident(self, request: web.Request) -> web.StreamResponse:
        incident_id = request.match_info["id"]
        file = await self._store.read(lambda database: views.file(database, incident_id))
        if file is None:
            return _json({"error": "no such incident"}, status=404)
        return _json(file_data(file))

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        now, limit = time.time(), listed(request)
        changes = await self._store.read(
            lambda database: deliveries.changes_between(
                database, now - _CHANGES_SECONDS, now + _CHANGES_SECONDS, limit
            )
        )
        return _json({"changes": [change_data(change) for change in changes]})


def listed(request: web.Request) -> int:
    """Read how many are asked for; what makes no sense is the default."""
    asked = request.query.get("limit", "")
    if not (asked.isascii() and asked.isdecimal()):
        return _LISTED
    return min(max(int(asked[:9]), 1), _MOST_LISTED)


def line_data(line: Line) -> dict[str, Any]:
    """Give a line of the list as plain data."""
    report = line.report
    first = report.causes[0] if report and report.causes else None
    return _incident_data(line.incident) | {
        "stages_done": line.stages_done,
        "delivered": line.is_delivered,
        "report_id": report.id if report else None,
        "headline": report.headline if report else None,
        "cause": first.model_dump(mode="json", exclude={"claims"}) if first else None,
        "decision": report.decision.kind if report else None,
    }


def file_data(file: File) -> dict[str, Any]:
    """Give all of an incident as plain data."""
    dossier = file.dossier
    return line_data(file.line) | {
        "episodes": [each.model_dump(mode="json") for each in file.line.incident.episodes],
        "history": [
            {"at": each.at, "event": each.event, "text": each.text} for each in file.history
        ],
        "deliveries": [
            {
                "channel": each.channel,
                "event": each.event,
                "status": each.status,
                "attempts": each.attempts,
                "problem": each.problem,
                "finished_at": each.finished_at,
            }
            for each in file.standings
        ],
        "report": dossier.report.model_dump(mode="json") if dossier else None,
        "evidence": dossier.evidence if dossier else [],
        "suspects": dossier.suspects if dossier else [],
        "disproofs": dossier.disproofs if dossier else [],
    }


def _incident_data(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "opened_at": incident.opened_at,
        "state": incident.state,
        "reason": incident.reason,
        "severity": incident.severity,
        "targets": incident.targets,
        "alertnames": incident.alertnames,
        "resolved_at": incident.resolved_at,
        "occurrence_of": incident.occurrence_of,
    }


def _json(data: Any, *, status: int = 200) -> web.StreamResponse:
    return web.Response(
        status=status, body=orjson.dumps(data), content_type="application/json", charset="utf-8"
    )
