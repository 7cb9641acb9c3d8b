"""What the pages and the API show, read in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from responder.incident import Incident
from responder.investigation.report import Report
from responder.store import incidents, outbox, reports
from responder.store.incidents import Entry
from responder.store.outbox import Standing
from responder.store.reports import Dossier


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One incident in the list."""

    incident: Incident
    report: Report | None
    stages_done: tuple[str, ...]
    is_delivered: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """All that is known of one incident."""

    line: Line
    dossier: Dossier | None
    history: Sequence[Entry]
    standings: Sequence[Standing]


def lines(connection: Connection, limit: int) -> list[Line]:
    """Give the newest incidents, newest first."""
    return _lines(connection, incidents.newest(connection, limit))


def file(connection: Connection, incident_id: str) -> File | None:
    """Give one incident, None when there is none."""
    incident = incidents.get(connection, incident_id)
    if incident is None:
        return None
    return File(
        line=_lines(connection, [incident])[0],
        dossier=reports.of_incident(connection, incident_id),
        history=incidents.history(connection, incident_id),
        standings=outbox.of_incident(connection, incident_id),
    )


def _lines(connection: Connection, found: Sequence[Incident]) -> list[Line]:
    ids = [incident.id for incident in found]
    made = reports.of_incidents(connection, ids)
    stages = incidents.stages_done(connection, ids)
    delivered = outbox.delivered_incidents(connection, ids)
    return [
        Line(
            incident=incident,
            report=made.get(incident.id),
            stages_done=stages[incident.id],
            is_delivered=incident.id in delivered,
        )
        for incident in found
    ]
