"""What is to be delivered: one row for each report, channel and event."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.store.engine import insert_new
from responder.store.tables import outbox

PENDING, DELIVERED, REJECTED = "pending", "delivered", "rejected"
REPORTED, RESOLVED = "reported", "resolved"
GONE = "its channel is no longer configured"

_LOOK_AHEAD = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What is to be told on every channel: that an incident is reported, or resolved."""

    incident_id: str
    report_id: str
    event: str
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One message to deliver to one channel; `event` is reported or resolved."""

    id: int
    idempotency_key: str
    channel: str
    event: str
    incident_id: str
    report_id: str
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What waits for one channel."""

    pending: int
    oldest_created_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How the delivery of one message stands."""

    channel: str
    event: str
    status: str
    attempts: int
    problem: str
    finished_at: float | None


def idempotency_key(report_id: str, channel: str, event: str) -> str:
    """Give the key of a message: the same for the same report, channel and event, always."""
    parts = f"{report_id}\x1f{channel}\x1f{event}"
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def add(connection: Connection, channels: Iterable[str], notice: Notice) -> None:
    """Store a message for each channel unless it is there already."""
    for channel in channels:
        row = {
            "idempotency_key": idempotency_key(notice.report_id, channel, notice.event),
            "channel": channel,
            "event": notice.event,
            "incident_id": notice.incident_id,
            "report_id": notice.report_id,
            "status": PENDING,
            "created_at": notice.at,
            "due_at": notice.at,
        }
        insert_new(connection, outbox, row)


def next_parcel(connection: Connection, channel: str, at: float) -> tuple[Parcel | None, float]:
    """Give what to deliver to *channel* now, if any, and when to look again (infinity: woken).

    Messages about one incident keep their order; one that must wait delays no other incident's.
    """
    query = (
        sa.select(outbox)
        .where(outbox.c.status == PENDING, outbox.c.channel == channel)
        .order_by(outbox.c.id)
        .limit(_LOOK_AHEAD)
    )
    blocked: set[str] = set()
    look_again_at = float("inf")
    for row in connection.execute(query):
        if row.incident_id in blocked:
            continue
        if row.due_at <= at:
            return _parcel(row), at
        blocked.add(row.incident_id)
        look_again_at = min(look_again_at, row.due_at)
    return None, look_again_at


def _parcel(row: sa.Row[*tuple[object, ...]]) -> Parcel:
    return Parcel(
        id=row.id,
        idempotency_key=row.idempotency_key,
        channel=row.channel,
        event=row.event,
        incident_id=row.incident_id,
        report_id=row.report_id,
        attempts=row.attempts,
    )


def delivered(connection: Connection, parcel_id: int, at: float, reference: str) -> None:
    """Note that a message has arrived."""
    change = {
        "status": DELIVERED,
        "finished_at": at,
        "reference": reference,
        "attempts": outbox.c.attempts + 1,
        "problem": "",
    }
    connection.execute(sa.update(outbox).where(outbox.c.id == parcel_id).values(change))


def rejected(connection: Connection, parcel_id: int, at: float, problem: str) -> None:
    """Note that a message will never arrive."""
    change = {
        "status": REJECTED,
        "finished_at": at,
        "problem": problem,
        "attempts": outbox.c.attempts + 1,
    }
    connection.execute(sa.update(outbox).where(outbox.c.id == parcel_id).values(change))


def give_up(connection: Connection, channels: Iterable[str], at: float) -> int:
    """Note that what waits for any but *channels* will never arrive; tell how many there were."""
    gone = sa.and_(outbox.c.status == PENDING, outbox.c.channel.not_in(list(channels)))
    change = {"status": REJECTED, "finished_at": at, "problem": GONE}
    return connection.execute(sa.update(outbox).where(gone).values(change)).rowcount


def put_off(connection: Connection, parcel_id: int, due_at: float, problem: str) -> None:
    """Note that a message did not arrive this time."""
    change = {"due_at": due_at, "problem": problem, "attempts": outbox.c.attempts + 1}
    connection.execute(sa.update(outbox).where(outbox.c.id == parcel_id).values(change))


def backlogs(connection: Connection) -> Mapping[str, Backlog]:
    """Give what waits for each channel that anything waits for."""
    query = (
        sa.select(outbox.c.channel, sa.func.count(), sa.func.min(outbox.c.created_at))
        .where(outbox.c.status == PENDING)
        .group_by(outbox.c.channel)
    )
    return {
        channel: Backlog(pending=count, oldest_created_at=oldest)
        for channel, count, oldest in connection.execute(query)
    }


def of_incident(connection: Connection, incident_id: str) -> Sequence[Standing]:
    """Give how the deliveries about one incident stand, oldest first."""
    query = sa.select(outbox).where(outbox.c.incident_id == incident_id).order_by(outbox.c.id)
    return [
        Standing(
            channel=row.channel,
            event=row.event,
            status=row.status,
            attempts=row.attempts,
            problem=row.problem,
            finished_at=row.finished_at,
        )
        for row in connection.execute(query)
    ]


def delivered_incidents(connection: Connection, incident_ids: Sequence[str]) -> frozenset[str]:
    """Give those of the incidents whose report has reached every channel."""
    query = (
        sa.select(outbox.c.incident_id)
        .where(outbox.c.incident_id.in_(incident_ids), outbox.c.event == REPORTED)
        .group_by(outbox.c.incident_id)
        .having(sa.func.min(sa.case((outbox.c.status == DELIVERED, 1), else_=0)) == 1)
    )
    return frozenset(row.incident_id for row in connection.execute(query))
