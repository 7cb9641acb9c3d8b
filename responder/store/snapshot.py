"""What the metrics say of the store, read in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.ceilings import Sums
from responder.incident import WATCHDOG, IncidentState, severity_name
from responder.store import episodes as episodes_of
from responder.store import losses, outbox, replicas, spending, verdicts
from responder.store.outbox import Backlog
from responder.store.tables import deliveries, episodes, incidents, reports, work
from responder.store.verdicts import Judged
from responder.store.work import RUNNING, WAITING

_REPORTS_SHOWN = 100
_REPORTS_SHOWN_SECONDS = 24 * 3600.0
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """How much waits, and since when the oldest does; None when nothing waits."""

    pending: int = 0
    oldest_at: float | None = None

    def age_seconds(self, at: float) -> float:
        """Give how long the oldest has waited, 0 when nothing waits."""
        return 0.0 if self.oldest_at is None else max(0.0, at - self.oldest_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Titled:
    """What the info metric says of a report and its incident."""

    report_id: str
    alertname: str
    target: str
    cause: str
    component: str
    decision: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What the store says at one moment; `work` is by state and severity."""

    incidents_open: int = 0
    work: Mapping[tuple[str, str], Queue] = field(default_factory=dict)
    outbox: Mapping[str, Backlog] = field(default_factory=dict)
    quarantine: Queue = field(default_factory=Queue)
    replicas_alive: int = 0
    unaccounted: Mapping[str, int] = field(default_factory=dict)
    reports: Sequence[Titled] = ()
    watchdog_last_seen_at: float | None = None
    spent: Sums = field(default_factory=dict)
    judged: Judged = field(default_factory=dict)
    at: float = 0.0


class Observer:
    """Takes snapshots; keeps the titles of reports, which do not change once they are made."""

    def __init__(self) -> None:
        """Know no title yet."""
        self._titles: Mapping[str, Titled] = {}

    def take(self, connection: Connection, at: float, *, has_channels: bool = True) -> Snapshot:
        """Count what is open, waits and is lost, and name the reports made lately."""
        return Snapshot(
            incidents_open=_incidents_open(connection),
            work=_work(connection),
            outbox=outbox.backlogs(connection),
            quarantine=_quarantine(connection),
            replicas_alive=len(replicas.alive(connection)),
            unaccounted=losses.unaccounted(connection, at, has_channels=has_channels),
            reports=self._titled(connection, at),
            watchdog_last_seen_at=episodes_of.last_seen(connection, WATCHDOG),
            spent=spending.sums(connection, at),
            judged=verdicts.judged(connection),
            at=at,
        )

    def _titled(self, connection: Connection, at: float) -> list[Titled]:
        query = (
            sa.select(reports.c.id)
            .where(reports.c.created_at >= at - _REPORTS_SHOWN_SECONDS)
            .order_by(reports.c.created_at.desc())
            .limit(_REPORTS_SHOWN)
        )
        shown = list(connection.execute(query).scalars())
        known = self._titles
        new = _titles(connection, [each for each in shown if each not in known])
        self._titles = {each: known.get(each) or new[each] for each in shown}
        return list(self._titles.values())


def _incidents_open(connection: Connection) -> int:
    is_open = sa.and_(incidents.c.resolved_at.is_(None), incidents.c.state != IncidentState.CLOSED)
    query = sa.select(sa.func.count()).select_from(incidents).where(is_open)
    return connection.execute(query).scalar_one()


def _work(connection: Connection) -> Mapping[tuple[str, str], Queue]:
    query = (
        sa.select(work.c.state, work.c.priority, sa.func.count(), sa.func.min(work.c.created_at))
        .where(work.c.state.in_([WAITING, RUNNING]))
        .group_by(work.c.state, work.c.priority)
    )
    found = {each: Queue() for each in product((WAITING, RUNNING), _SEVERITIES)}
    for state, priority, count, oldest in connection.execute(query):
        found[state, severity_name(priority)] = Queue(pending=count, oldest_at=oldest)
    return found


def _quarantine(connection: Connection) -> Queue:
    unread = sa.and_(deliveries.c.problem.is_not(None), deliveries.c.requeued_at.is_(None))
    query = sa.select(sa.func.count(), sa.func.min(deliveries.c.received_at)).where(unread)
    count, oldest = connection.execute(query).one()
    return Queue(pending=count, oldest_at=oldest)


def _titles(connection: Connection, report_ids: Sequence[str]) -> Mapping[str, Titled]:
    if not report_ids:
        return {}
    kept = reports.c.report
    query = sa.select(
        reports.c.id,
        reports.c.incident_id,
        kept["causes", 0, "kind"].as_string().label("cause"),
        kept["causes", 0, "component"].as_string().label("component"),
        kept["decision", "kind"].as_string().label("decision"),
    ).where(reports.c.id.in_(report_ids))
    rows = connection.execute(query).all()
    leads = _leads(connection, [row.incident_id for row in rows])
    titles = {}
    for row in rows:
        alertname, target = leads.get(row.incident_id, ("", ""))
        titles[row.id] = Titled(
            report_id=row.id,
            alertname=alertname,
            target=target,
            cause=row.cause or "",
            component=row.component or "",
            decision=row.decision or "",
        )
    return titles


def _leads(connection: Connection, incident_ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """Give the first alert's name of each incident, and the first target that one names."""
    target = episodes.c.alert["labels", "target"].as_string().label("target")
    query = (
        sa.select(episodes.c.incident_id, episodes.c.alertname, target)
        .where(episodes.c.incident_id.in_(incident_ids))
        .order_by(episodes.c.starts_at, episodes.c.first_seen_at, episodes.c.alertname)
    )
    found: dict[str, tuple[str, str]] = {}
    for row in connection.execute(query):
        alertname, before = found.get(row.incident_id, (row.alertname, ""))
        found[row.incident_id] = (alertname, before or row.target or "")
    return found
