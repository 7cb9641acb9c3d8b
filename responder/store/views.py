"""What the pages and the API show, read in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError
from sqlalchemy import Connection

from responder.incident import Incident, IncidentState, severity_name
from responder.investigation.evidence import Evidence, Suspect
from responder.investigation.report import Report
from responder.store import incidents, outbox, reports
from responder.store.incidents import Entry
from responder.store.reports import Dossier
from responder.store.tables import deliveries, episode_facts, episodes
from responder.store.tables import incidents as incidents_table
from responder.store.tables import outbox as outbox_table
from responder.store.tables import reports as reports_table

log = structlog.get_logger(__name__)

OPEN = "open"
UNREADABLE = "the stored report cannot be read by this version"
MOST_EPISODES = 1000
_MOST_RELATED = 200
_MOST_FACTS = 2000
_BODY_SHOWN_BYTES = 4000


class _Asked(BaseModel):
    """What is shown of an attempt to disprove a suspect."""

    suspect: str
    kind: str
    question: str
    held: bool | None
    evidence: str
    text: str


_STANDS_ON = (
    ("evidence", TypeAdapter(tuple[Evidence, ...])),
    ("suspects", TypeAdapter(tuple[Suspect, ...])),
    ("disproofs", TypeAdapter(tuple[_Asked, ...])),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a page of a list ends: what comes after it is ordered behind *at* and *id*."""

    at: float
    id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One incident in the list; `report` is its report as JSON values.

    Where there is one that cannot be read, `report_problem` says so.
    """

    id: str
    opened_at: float
    state: IncidentState
    reason: str
    severity: str
    alertnames: Sequence[str]
    targets: Sequence[str]
    resolved_at: float | None
    occurrence_of: str | None
    merged_into: str | None
    flaps: int
    report: Mapping[str, Any] | None
    report_problem: str
    stages_done: Sequence[str]
    is_delivered: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One thing that a delivery told of an episode."""

    at: float
    fact: str
    episode_id: str
    alertname: str
    fingerprint: str
    starts_at: float
    ends_at: float | None
    delivery_kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sending:
    """How the delivery of one message stands."""

    channel: str
    destination: str
    event: str
    note: str
    status: str
    attempts: int
    problem: str
    created_at: float
    due_at: float
    finished_at: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """All that is known of one incident; of very many episodes only the first are in it.

    `resent` counts by episode how often it came again, `report_problem` says where there is a
    report that cannot be read.
    """

    line: Line
    incident: Incident
    episodes_total: int
    dossier: Dossier | None
    report_problem: str
    history: Sequence[Entry]
    facts: Sequence[Told]
    resent: Mapping[str, int]
    sendings: Sequence[Sending]
    occurrences: Sequence[Line]
    merged: Sequence[Line]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """One episode as the list of all episodes has it."""

    id: str
    fingerprint: str
    alertname: str
    incident_id: str | None
    starts_at: float
    first_seen_at: float
    last_seen_at: float
    resolved_at: float | None
    seen_late: bool
    resent: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A post that could not be read, or not wholly: its size and the beginning of its body."""

    id: str
    kind: str
    received_at: float
    problem: str
    size_bytes: int
    head: bytes
    requeued_at: float | None


def lines(
    connection: Connection, limit: int, *, before: Place | None = None, state: str = ""
) -> list[Line]:
    """Give incidents, newest first; *state* is one of IncidentState, or open for what lasts."""
    table = incidents_table
    query = sa.select(table).order_by(table.c.opened_at.desc(), table.c.id).limit(limit)
    if before is not None:
        same = sa.and_(table.c.opened_at == before.at, table.c.id > before.id)
        query = query.where(sa.or_(table.c.opened_at < before.at, same))
    if state == OPEN:
        query = query.where(table.c.resolved_at.is_(None))
    elif state:
        query = query.where(table.c.state == state)
    return _lines(connection, query)


def file(
    connection: Connection, incident_id: str, *, episodes_limit: int = MOST_EPISODES
) -> File | None:
    """Give one incident, None when there is none; of its episodes the first are read."""
    incident = incidents.get(connection, incident_id, episodes_limit=episodes_limit)
    if incident is None:
        return None
    table = incidents_table
    dossier, problem = _dossier(connection, incident_id)
    (own,) = _lines(connection, sa.select(table).where(table.c.id == incident_id))
    return File(
        line=own,
        incident=incident,
        episodes_total=_episodes_total(connection, incident_id),
        dossier=dossier,
        report_problem=problem,
        history=incidents.history(connection, incident_id),
        facts=_facts(connection, incident_id),
        resent=_resent(connection, [each.id for each in incident.episodes]),
        sendings=_sendings(connection, incident_id),
        occurrences=_related(connection, table.c.occurrence_of == incident_id),
        merged=_related(connection, table.c.merged_into == incident_id),
    )


def kept(
    connection: Connection,
    limit: int,
    *,
    since: float,
    after: Place | None = None,
    incident_id: str = "",
) -> list[Kept]:
    """Give the episodes first seen at *since* or later, oldest first: all, or an incident's."""
    table = episodes
    query = (
        sa.select(*(column for column in table.c if column.name != "alert"))
        .where(table.c.first_seen_at >= since)
        .order_by(table.c.first_seen_at, table.c.id)
        .limit(limit)
    )
    if incident_id:
        query = query.where(table.c.incident_id == incident_id)
    if after is not None:
        same = sa.and_(table.c.first_seen_at == after.at, table.c.id > after.id)
        query = query.where(sa.or_(table.c.first_seen_at > after.at, same))
    return [
        Kept(
            id=row.id,
            fingerprint=row.fingerprint,
            alertname=row.alertname,
            incident_id=row.incident_id,
            starts_at=row.starts_at,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            resolved_at=row.resolved_at,
            seen_late=row.seen_late,
            resent=row.resent,
        )
        for row in connection.execute(query)
    ]


def unread(connection: Connection, limit: int, *, before: Place | None = None) -> list[Unread]:
    """Give the posts that could not be read, newest first; of each body the beginning alone."""
    table = deliveries
    query = (
        sa.select(
            table.c.id,
            table.c.kind,
            table.c.received_at,
            table.c.problem,
            table.c.requeued_at,
            sa.func.length(table.c.body).label("size_bytes"),
            sa.func.substr(table.c.body, 1, _BODY_SHOWN_BYTES).label("head"),
        )
        .where(table.c.problem.is_not(None))
        .order_by(table.c.received_at.desc(), table.c.id)
        .limit(limit)
    )
    if before is not None:
        same = sa.and_(table.c.received_at == before.at, table.c.id > before.id)
        query = query.where(sa.or_(table.c.received_at < before.at, same))
    return [
        Unread(
            id=row.id,
            kind=row.kind,
            received_at=row.received_at,
            problem=row.problem,
            size_bytes=row.size_bytes,
            head=bytes(row.head or b""),  # of nothing, SQLite gives NULL
            requeued_at=row.requeued_at,
        )
        for row in connection.execute(query)
    ]


def _related(connection: Connection, condition: sa.ColumnElement[bool]) -> list[Line]:
    table = incidents_table
    query = sa.select(table).where(condition).order_by(table.c.opened_at.desc(), table.c.id)
    return _lines(connection, query.limit(_MOST_RELATED))


def _lines(connection: Connection, query: sa.Select[Any]) -> list[Line]:
    rows = connection.execute(query).all()
    ids = [row.id for row in rows]
    known = {each.id: each for each in incidents.known_of(connection, rows)}
    made = _reports(connection, ids)
    stages = incidents.stages_done(connection, ids)
    delivered = outbox.delivered_incidents(connection, ids)
    return [
        Line(
            id=row.id,
            opened_at=row.opened_at,
            state=IncidentState(row.state),
            reason=row.reason,
            severity=severity_name(row.severity_rank),
            alertnames=sorted(known[row.id].alertnames),
            targets=sorted(known[row.id].targets),
            resolved_at=row.resolved_at,
            occurrence_of=row.occurrence_of,
            merged_into=row.merged_into,
            flaps=row.flaps,
            report=made.get(row.id),
            report_problem=UNREADABLE if row.id in made and made[row.id] is None else "",
            stages_done=stages[row.id],
            is_delivered=row.id in delivered,
        )
        for row in rows
    ]


def _reports(connection: Connection, incident_ids: Sequence[str]) -> Mapping[str, Any]:
    """Give the report of each incident that has one, None where it cannot be read."""
    table = reports_table
    query = sa.select(table.c.incident_id, table.c.report).where(
        table.c.incident_id.in_(incident_ids)
    )
    return {row.incident_id: _readable(row.report) for row in connection.execute(query)}


def _readable(report: Any) -> Any:
    try:
        Report.model_validate(report)
    except ValidationError:
        return None
    return report


def _dossier(connection: Connection, incident_id: str) -> tuple[Dossier | None, str]:
    """Give an incident's report with what it stands on, or the problem of one that is there."""
    try:
        dossier = reports.of_incident(connection, incident_id)
        for name, records in _STANDS_ON if dossier is not None else ():
            records.validate_python(getattr(dossier, name))
    except ValidationError as error:  # As when another version wrote it.
        count = error.error_count()
        log.warning("stored report cannot be read", incident=incident_id, errors=count)
        return None, UNREADABLE
    return dossier, ""


def _episodes_total(connection: Connection, incident_id: str) -> int:
    query = sa.select(sa.func.count()).where(episodes.c.incident_id == incident_id)
    return connection.execute(query).scalar_one()


def _facts(connection: Connection, incident_id: str) -> list[Told]:
    query = (
        sa.select(
            episode_facts,
            episodes.c.alertname,
            episodes.c.fingerprint,
            deliveries.c.kind.label("delivery_kind"),
        )
        .join(episodes, episodes.c.id == episode_facts.c.episode_id)
        .join(deliveries, deliveries.c.id == episode_facts.c.delivery_id, isouter=True)
        .where(episodes.c.incident_id == incident_id)
        .order_by(episode_facts.c.id)
        .limit(_MOST_FACTS)
    )
    return [
        Told(
            at=row.at,
            fact=row.fact,
            episode_id=row.episode_id,
            alertname=row.alertname,
            fingerprint=row.fingerprint,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            delivery_kind=row.delivery_kind or "",
        )
        for row in connection.execute(query)
    ]


def _resent(connection: Connection, episode_ids: Sequence[str]) -> Mapping[str, int]:
    query = sa.select(episodes.c.id, episodes.c.resent).where(episodes.c.id.in_(episode_ids))
    return {row.id: row.resent for row in connection.execute(query)}


def _sendings(connection: Connection, incident_id: str) -> list[Sending]:
    table = outbox_table
    query = sa.select(table).where(table.c.incident_id == incident_id).order_by(table.c.id)
    return [
        Sending(
            channel=row.channel,
            destination=row.destination,
            event=row.event,
            note=row.note,
            status=row.status,
            attempts=row.attempts,
            problem=row.problem,
            created_at=row.created_at,
            due_at=row.due_at,
            finished_at=row.finished_at,
        )
        for row in connection.execute(query)
    ]
