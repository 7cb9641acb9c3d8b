"""What the metrics say of the store, read in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.incident import WATCHDOG, IncidentState
from responder.investigation.report import Report
from responder.store import episodes, outbox, reports, work
from responder.store.outbox import Backlog
from responder.store.tables import incidents

_REPORTS_SHOWN = 100
_REPORTS_SHOWN_SECONDS = 24 * 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Titled:
    """A report and what its info metric says of its incident."""

    report: Report
    alertname: str
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What the store says at one moment."""

    incidents_open: int = 0
    work_pending: int = 0
    work_oldest_age_seconds: float = 0.0
    outbox: Mapping[str, Backlog] = field(default_factory=dict)
    reports: Sequence[Titled] = ()
    watchdog_last_seen_at: float | None = None
    at: float = 0.0


def take(connection: Connection, at: float) -> Snapshot:
    """Count what is open and waits, and name the reports made lately."""
    is_open = sa.and_(incidents.c.resolved_at.is_(None), incidents.c.state != IncidentState.CLOSED)
    open_now = connection.execute(
        sa.select(sa.func.count()).select_from(incidents).where(is_open)
    ).scalar_one()
    oldest = work.oldest_pending(connection)
    return Snapshot(
        incidents_open=open_now,
        work_pending=work.pending(connection),
        work_oldest_age_seconds=0.0 if oldest is None else max(0.0, at - oldest),
        outbox=outbox.backlogs(connection),
        reports=_titled(connection, at),
        watchdog_last_seen_at=episodes.last_seen(connection, WATCHDOG),
        at=at,
    )


def _titled(connection: Connection, at: float) -> list[Titled]:
    made = reports.since(connection, at - _REPORTS_SHOWN_SECONDS, _REPORTS_SHOWN)
    members = episodes.of_incidents(connection, [report.incident for report in made])
    found = []
    for report in made:
        alerts = [episode.alert for episode in members[report.incident]]
        alertname = next((alert.name for alert in alerts), "")
        target = next((alert.target for alert in alerts if alert.target), "")
        found.append(Titled(report=report, alertname=alertname, target=target or ""))
    return found
