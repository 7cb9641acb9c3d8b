"""The pages: incidents, one incident with its whole report, runbooks, and what was quarantined."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from responder.incident import IncidentState
from responder.investigation.evidence import CauseKind, Status
from responder.investigation.render import render as plain_text
from responder.store import verdicts, views
from responder.store.store import Store
from responder.verdict import told
from responder.web import story
from responder.web.api import STATES, after, listed, mark, place, wanted_state
from responder.web.markdown import render
from responder.web.shown import filters

_HERE = Path(__file__).parent
_RUNBOOK = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,100}")
_LARGEST_RUNBOOK_BYTES = 256 * 1024
_QUARANTINE_LISTED = 50
_EPISODES_SHOWN = 200
# A picture is not a page: opened by itself it may hold its own styles, and nothing else.
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class Pages:
    """Renders the pages; *runbooks* gives the folders of the runbooks as configured now."""

    def __init__(self, store: Store, *, runbooks: Callable[[], Sequence[Path]]) -> None:
        """Keep what they read."""
        self._store = store
        self._runbooks = runbooks

    def register(self, app: web.Application) -> None:
        """Add the routes and templates to *app*."""
        environment = aiohttp_jinja2.setup(
            app,
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(filters())
        app.router.add_get("/", self._list)
        app.router.add_get("/incidents/{id}", self._incident)
        app.router.add_get("/incidents/{id}/report.txt", self._text)
        app.router.add_get("/incidents/{id}/evidence/{evidence}.svg", self._chart)
        app.router.add_get("/runbooks/{name}", self._runbook)
        app.router.add_get("/quarantine", self._quarantine)
        app.router.add_static("/static", _HERE / "static", append_version=False)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        limit, before, state = listed(request), place(request, "before"), wanted_state(request)
        lines = await self._store.read(
            lambda database: views.lines(database, limit, before=before, state=state)
        )
        unread = await self._store.read(lambda database: views.unread(database, 1))
        last = await self._store.read(
            lambda database: verdicts.latest(database, (line.id for line in lines))
        )
        context = {
            "lines": lines,
            "verdicts": last,
            "has_quarantined": bool(unread),
            "states": STATES,
            "state": state,
            "next": _next(request, after(lines, limit)),
            "is_first": before is None,
        }
        return _page(request, "incidents.html", context)

    async def _incident(self, request: web.Request) -> web.StreamResponse:
        file = await self._file(request)
        waits = {IncidentState.WAITING, IncidentState.INVESTIGATING}
        incident_id = file.incident.id
        said = await self._store.read(lambda database: verdicts.of_incident(database, incident_id))
        context = {
            "file": file,
            "incident": file.incident,
            "verdicts": [(each, told(each)) for each in said],
            "kinds": sorted(each.value for each in CauseKind),
            "story": story.told(file),
            "report": file.dossier.report if file.dossier else None,
            "evidence": file.dossier.evidence if file.dossier else (),
            "is_under_way": file.incident.state in waits,
            "ok": Status.OK,
        }
        return _page(request, "incident.html", context)

    async def _text(self, request: web.Request) -> web.StreamResponse:
        file = await self._file(request)
        if file.dossier is None:
            raise web.HTTPNotFound(text=f"{file.report_problem or 'no report yet'}\n")
        return web.Response(text=plain_text(file.dossier.report))

    async def _chart(self, request: web.Request) -> web.StreamResponse:
        file = await self._file(request)
        wanted = request.match_info["evidence"]
        for each in file.dossier.evidence if file.dossier else ():
            if each.get("id") == wanted and each.get("chart_svg"):
                headers = {"Content-Security-Policy": _PICTURE_POLICY}
                return web.Response(
                    text=each["chart_svg"], content_type="image/svg+xml", headers=headers
                )
        raise web.HTTPNotFound(text="no such picture\n")

    async def _file(self, request: web.Request) -> views.File:
        incident_id = request.match_info["id"]
        file = await self._store.read(
            lambda database: views.file(database, incident_id, episodes_limit=_EPISODES_SHOWN)
        )
        if file is None:
            raise web.HTTPNotFound(text="no such incident\n")
        return file

    async def _runbook(self, request: web.Request) -> web.StreamResponse:
        name, folders = request.match_info["name"], self._runbooks()
        if not _RUNBOOK.fullmatch(name):
            raise web.HTTPNotFound(text="no such runbook\n")
        text = await asyncio.to_thread(_first, [folder / f"{name}.md" for folder in folders])
        if text is None:
            raise web.HTTPNotFound(text="no such runbook\n")
        return _page(request, "runbook.html", {"name": name, "text": render(text)})

    async def _quarantine(self, request: web.Request) -> web.StreamResponse:
        before = place(request, "before")
        posts = await self._store.read(
            lambda database: views.unread(database, _QUARANTINE_LISTED, before=before)
        )
        is_full = len(posts) == _QUARANTINE_LISTED
        last = mark(posts[-1].received_at, posts[-1].id) if is_full else None
        context = {"posts": posts, "next": _next(request, last)}
        return _page(request, "quarantine.html", context)


def _next(request: web.Request, last: str | None) -> str:
    """Give the address of the page after this one, empty where there is none."""
    return str(request.rel_url.update_query(before=last)) if last else ""


def _page(request: web.Request, name: str, context: Mapping[str, Any]) -> web.StreamResponse:
    return aiohttp_jinja2.render_template(name, request, dict(context))


def _first(paths: Sequence[Path]) -> str | None:
    """Read the first of the pages that is there, as the source of kind runbooks does."""
    return next((_read(each) for each in paths if each.exists()), None)


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_RUNBOOK_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
