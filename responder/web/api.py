"""JSON under /api/v1: incidents with their reports, episodes, unread posts, and changes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from responder.alert import Episode
from responder.casefile import change_data
from responder.incident import IncidentState
from responder.store import deliveries, verdicts, views
from responder.store.store import Store
from responder.store.views import File, Kept, Line, Place, Sending, Told, Unread
from responder.verdict import Verdict
from responder.web.shown import excerpt, masked
from responder.web.verdicts import data as verdict_data

LISTED = 100
_MOST_LISTED = 1000
_CHANGES_SECONDS = 7 * 24 * 3600.0
_BETWEEN = "~"
STATES = (views.OPEN, *IncidentState)


class Api:
    """Reads the store and answers with plain data."""

    def __init__(self, store: Store) -> None:
        """Keep the store."""
        self._store = store

    def register(self, app: web.Application) -> None:
        """Add the routes to *app*."""
        app.router.add_get("/api/v1/incidents", self._incidents)
        app.router.add_get("/api/v1/incidents/{id}", self._incident)
        app.router.add_get("/api/v1/episodes", self._episodes)
        app.router.add_get("/api/v1/quarantine", self._quarantine)
        app.router.add_get("/api/v1/changes", self._changes)

    async def _incidents(self, request: web.Request) -> web.StreamResponse:
        limit, before, state = listed(request), place(request, "before"), wanted_state(request)
        lines = await self._store.read(
            lambda database: views.lines(database, limit, before=before, state=state)
        )
        last = await self._store.read(
            lambda database: verdicts.latest(database, (line.id for line in lines))
        )
        found = [line_data(line) | {"verdict": _ruling(last.get(line.id))} for line in lines]
        return _json({"incidents": found, "next": after(lines, limit)})

    async def _incident(self, request: web.Request) -> web.StreamResponse:
        incident_id = request.match_info["id"]
        file = await self._store.read(lambda database: views.file(database, incident_id))
        if file is None:
            return _json({"error": "no such incident"}, status=404)
        said = await self._store.read(lambda database: verdicts.of_incident(database, incident_id))
        newest = _ruling(said[0] if said else None)
        return _json(
            file_data(file) | {"verdict": newest, "verdicts": [verdict_data(each) for each in said]}
        )

    async def _episodes(self, request: web.Request) -> web.StreamResponse:
        limit, behind, since = listed(request), place(request, "after"), _number(request, "since")
        incident_id = _identity(request, "incident")
        found = await self._store.read(
            lambda database: views.kept(
                database, limit, since=since, after=behind, incident_id=incident_id
            )
        )
        last = mark(found[-1].first_seen_at, found[-1].id) if len(found) == limit else None
        return _json({"episodes": [_kept_data(each) for each in found], "next": last})

    async def _quarantine(self, request: web.Request) -> web.StreamResponse:
        limit, before = listed(request), place(request, "before")
        posts = await self._store.read(
            lambda database: views.unread(database, limit, before=before)
        )
        last = mark(posts[-1].received_at, posts[-1].id) if len(posts) == limit else None
        return _json({"posts": [_unread_data(each) for each in posts], "next": last})

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        now, limit = time.time(), listed(request)
        changes = await self._store.read(
            lambda database: deliveries.changes_between(
                database, now - _CHANGES_SECONDS, now + _CHANGES_SECONDS, limit
            )
        )
        return _json({"changes": [change_data(change) for change in changes]})


def _ruling(verdict: Verdict | None) -> str | None:
    return verdict.ruling.value if verdict else None


def listed(request: web.Request) -> int:
    """Read how many are asked for; what makes no sense is the default."""
    asked = request.query.get("limit", "")
    if not (asked.isascii() and asked.isdecimal()):
        return LISTED
    return min(max(int(asked[:9]), 1), _MOST_LISTED)


def place(request: web.Request, name: str) -> Place | None:
    """Read where a page begins; what makes no sense is the beginning."""
    at, between, identity = request.query.get(name, "").partition(_BETWEEN)
    moment = _finite(at)
    is_place = between and moment is not None and identity.isascii() and identity.isalnum()
    return Place(at=moment, id=identity) if is_place and moment is not None else None


def mark(at: float, identity: str) -> str:
    """Write where a page ends, for `place` to read."""
    return f"{at!r}{_BETWEEN}{identity}"


def moment_before(request: web.Request) -> float | None:
    """Read the time that a page ends at; what makes no sense is none."""
    return _finite(request.query.get("before", ""))


def after(lines: Sequence[Line], limit: int) -> str | None:
    """Give where the page after a full one begins."""
    return mark(lines[-1].opened_at, lines[-1].id) if len(lines) == limit else None


def wanted_state(request: web.Request) -> str:
    """Read which state is asked for; what is none is all of them."""
    asked = request.query.get("state", "")
    return asked if asked in STATES else ""


def _identity(request: web.Request, name: str) -> str:
    asked = request.query.get(name, "")
    return asked if asked.isascii() and asked.isalnum() else ""


def _number(request: web.Request, name: str) -> float:
    return _finite(request.query.get(name, "")) or 0.0


def _finite(text: str) -> float | None:
    try:
        value = float(text[:40])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def line_data(line: Line) -> dict[str, Any]:
    """Give a line of the list as plain data."""
    report = line.report or {}
    first = next(iter(report.get("causes", ())), None)
    return {
        "id": line.id,
        "opened_at": line.opened_at,
        "state": line.state,
        "reason": line.reason,
        "severity": line.severity,
        "targets": line.targets,
        "alertnames": line.alertnames,
        "resolved_at": line.resolved_at,
        "occurrence_of": line.occurrence_of,
        "merged_into": line.merged_into,
        "flaps": line.flaps,
        "stages_done": line.stages_done,
        "delivered": line.is_delivered,
        "report_id": report.get("id"),
        "report_problem": line.report_problem or None,
        "headline": report.get("headline"),
        "cause": {key: first[key] for key in first if key != "claims"} if first else None,
        "decision": report["decision"]["kind"] if report else None,
    }


def file_data(file: File) -> dict[str, Any]:
    """Give all of an incident as plain data; of very many episodes the first thousand."""
    dossier, incident = file.dossier, file.incident
    return line_data(file.line) | {
        "episodes": [
            _episode_data(each) | {"resent": file.resent.get(each.id, 0)}
            for each in incident.episodes
        ],
        "episodes_total": file.episodes_total,
        "facts": [_told_data(each) for each in file.facts],
        "history": [
            {"at": each.at, "event": each.event, "text": each.text} for each in file.history
        ],
        "occurrences": [line_data(each) for each in file.occurrences],
        "merged": [line_data(each) for each in file.merged],
        "deliveries": [_sending_data(each) for each in file.sendings],
        "report": dossier.report.model_dump(mode="json") if dossier else None,
        "report_problem": file.report_problem or None,
        "evidence": dossier.evidence if dossier else [],
        "suspects": dossier.suspects if dossier else [],
        "disproofs": dossier.disproofs if dossier else [],
    }


def _episode_data(episode: Episode) -> dict[str, Any]:
    """Give an episode with what its alert says, the secrets in that masked."""
    data = episode.model_dump(mode="json")
    alert = data["alert"]
    for field in ("labels", "annotations"):
        alert[field] = {masked(name): masked(text) for name, text in alert[field].items()}
    alert["generator_url"] = masked(alert["generator_url"])
    return data


def _told_data(told: Told) -> dict[str, Any]:
    return {
        "at": told.at,
        "fact": told.fact,
        "episode": told.episode_id,
        "alertname": told.alertname,
        "fingerprint": told.fingerprint,
        "starts_at": told.starts_at,
        "ends_at": told.ends_at,
        "from": told.delivery_kind,
    }


def _sending_data(sending: Sending) -> dict[str, Any]:
    return {
        "channel": sending.channel,
        "destination": masked(sending.destination),
        "event": sending.event,
        "note": sending.note,
        "status": sending.status,
        "attempts": sending.attempts,
        "problem": sending.problem,
        "due_at": sending.due_at,
        "finished_at": sending.finished_at,
    }


def _kept_data(kept: Kept) -> dict[str, Any]:
    return {
        "id": kept.id,
        "fingerprint": kept.fingerprint,
        "alertname": kept.alertname,
        "incident": kept.incident_id,
        "starts_at": kept.starts_at,
        "first_seen_at": kept.first_seen_at,
        "last_seen_at": kept.last_seen_at,
        "resolved_at": kept.resolved_at,
        "seen_late": kept.seen_late,
        "resent": kept.resent,
    }


def _unread_data(unread: Unread) -> dict[str, Any]:
    return {
        "id": unread.id,
        "kind": unread.kind,
        "received_at": unread.received_at,
        "problem": unread.problem,
        "size_bytes": unread.size_bytes,
        "requeued_at": unread.requeued_at,
        "body": excerpt(unread.head),
    }


def _json(data: Any, *, status: int = 200) -> web.StreamResponse:
    return web.Response(
        status=status, body=orjson.dumps(data), content_type="application/json", charset="utf-8"
    )
