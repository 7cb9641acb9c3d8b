"""What is to be delivered: one row for each report, channel, destination and event."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.store.engine import insert_new
from responder.store.tables import outbox

PENDING, DELIVERED, REJECTED = "pending", "delivered", "rejected"
WITHDRAWN, EXPIRED = "withdrawn", "expired"
REPORTED, UPDATED, RESOLVED = "reported", "updated", "resolved"
GONE = "its channel is no longer configured"

_SEPARATOR = "\x1f"
# How far apart two readings of one clock may seem without its having been put back.
_CLOCK_SLACK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What is to be told on every channel: that an incident is reported, updated or resolved.

    `occasion` tells events of one kind apart, `note` says what is new, and `due_at` is when it is
    to be told, at once where it is None.
    """

    incident_id: str
    report_id: str
    event: str
    at: float
    occasion: str = ""
    note: str = ""
    due_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """When an event was, or is, first to be told; it `waits` until it has arrived."""

    at: float
    waits: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One message to deliver to one destination of a channel.

    `attempts` counts those before; `reference` is what the incident's first delivery there gave.
    """

    id: int
    idempotency_key: str
    channel: str
    event: str
    incident_id: str
    report_id: str
    attempts: int
    created_at: float
    note: str = ""
    destination: str = ""
    reference: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What waits for one channel."""

    pending: int
    oldest_created_at: float


def idempotency_key(report_id: str, channel: str, event: str, destination: str = "") -> str:
    """Give the key of a message: the same for the same report, channel, event and destination.

    Where a channel's one destination has no name, the key is that of the time before there were
    destinations: far ends have seen it.
    """
    parts = [report_id, channel, event, *([destination] if destination else [])]
    return hashlib.sha256(_SEPARATOR.join(parts).encode()).hexdigest()[:32]


def address(channel: str, destination: str) -> str:
    """Give what names a destination of a channel where messages are added."""
    return f"{channel}{_SEPARATOR}{destination}" if destination else channel


def add(connection: Connection, channels: Iterable[str], notice: Notice) -> None:
    """Store a message for each of *channels*, given by `address`, unless it is there already."""
    due_at = notice.at if notice.due_at is None else notice.due_at
    event = f"{notice.event} {notice.occasion}".strip()
    for each in channels:
        channel, _, destination = each.partition(_SEPARATOR)
        row = {
            "idempotency_key": idempotency_key(notice.report_id, channel, event, destination),
            "channel": channel,
            "destination": destination,
            "event": notice.event,
            "incident_id": notice.incident_id,
            "report_id": notice.report_id,
            "status": PENDING,
            # What is not to be told yet is not late either.
            "created_at": due_at,
            "due_at": due_at,
            "due_set_at": notice.at,
            "note": notice.note,
        }
        insert_new(connection, outbox, row)


def withdraw(connection: Connection, incident_id: str, event: str, at: float, why: str) -> None:
    """Take back what was to be told later and is no longer true."""
    later = sa.and_(
        outbox.c.incident_id == incident_id,
        outbox.c.event == event,
        outbox.c.status == PENDING,
        outbox.c.due_at > at,
    )
    change = {"status": WITHDRAWN, "finished_at": at, "problem": why}
    connection.execute(sa.update(outbox).where(later).values(change))


def annotate(connection: Connection, incident_id: str, event: str, note: str) -> bool:
    """Give messages that have not arrived yet a note; tell whether there were such."""
    waiting = sa.and_(
        outbox.c.incident_id == incident_id, outbox.c.event == event, outbox.c.status == PENDING
    )
    return connection.execute(sa.update(outbox).where(waiting).values(note=note)).rowcount > 0


def last_told(connection: Connection, incident_id: str, event: str) -> Told | None:
    """Give how the event of its kind that was added last to the incident stands."""
    query = (
        sa.select(outbox.c.created_at, outbox.c.status)
        .where(outbox.c.incident_id == incident_id, outbox.c.event == event)
        .order_by(outbox.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Told(at=row.created_at, waits=row.status == PENDING)


def next_parcel(
    connection: Connection, channel: str, at: float, destination: str = ""
) -> tuple[Parcel | None, float]:
    """Give what to deliver there now, if any, and when to look again (infinity: woken).

    Messages about one incident keep their order; one that must wait delays no other incident's.
    """
    first = (
        sa.select(sa.func.min(outbox.c.id))
        .where(
            outbox.c.status == PENDING,
            outbox.c.channel == channel,
            outbox.c.destination == destination,
        )
        .group_by(outbox.c.incident_id)
    )
    # What was made to wait by a clock that has since been put back waits no longer.
    was_put_back = outbox.c.due_set_at > at + _CLOCK_SLACK_SECONDS
    is_due = sa.or_(outbox.c.due_at <= at, was_put_back)
    query = sa.select(outbox).where(outbox.c.id.in_(first), is_due).order_by(outbox.c.id).limit(1)
    row = connection.execute(query).one_or_none()
    if row is not None:
        return _parcel(connection, row), at
    later = sa.select(sa.func.min(outbox.c.due_at)).where(outbox.c.id.in_(first))
    look_again_at = connection.execute(later).scalar_one()
    return None, float("inf") if look_again_at is None else look_again_at


def _parcel(connection: Connection, row: sa.Row[*tuple[object, ...]]) -> Parcel:
    return Parcel(
        id=row.id,
        idempotency_key=row.idempotency_key,
        channel=row.channel,
        event=row.event,
        incident_id=row.incident_id,
        report_id=row.report_id,
        attempts=row.attempts,
        created_at=row.created_at,
        note=row.note,
        destination=row.destination,
        reference=_reference(connection, row),
    )


def _reference(connection: Connection, row: sa.Row[*tuple[object, ...]]) -> str:
    query = (
        sa.select(outbox.c.reference)
        .where(
            outbox.c.incident_id == row.incident_id,
            outbox.c.channel == row.channel,
            outbox.c.destination == row.destination,
            outbox.c.status == DELIVERED,
            outbox.c.reference != "",
        )
        .order_by(outbox.c.id)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none() or ""


def begin(connection: Connection, parcel_id: int) -> None:
    """Count an attempt before it is made, so that one that never ends is known of."""
    change = {"attempts": outbox.c.attempts + 1}
    connection.execute(sa.update(outbox).where(outbox.c.id == parcel_id).values(change))


def delivered(connection: Connection, parcel_id: int, at: float, reference: str) -> None:
    """Note that a message has arrived, whatever else has been noted of it."""
    change = {"status": DELIVERED, "finished_at": at, "reference": reference, "problem": ""}
    is_news = sa.and_(outbox.c.id == parcel_id, outbox.c.status != DELIVERED)
    connection.execute(sa.update(outbox).where(is_news).values(change))


def rejected(connection: Connection, parcel_id: int, at: float, problem: str) -> None:
    """Note that a message will never arrive."""
    _finish(connection, parcel_id, REJECTED, at, problem)


def expired(connection: Connection, parcel_id: int, at: float, problem: str) -> None:
    """Note that a message could not be delivered for so long that it is given up."""
    _finish(connection, parcel_id, EXPIRED, at, problem)


def _finish(connection: Connection, parcel_id: int, status: str, at: float, problem: str) -> None:
    change = {"status": status, "finished_at": at, "problem": problem}
    connection.execute(sa.update(outbox).where(_still_waits(parcel_id)).values(change))


def _still_waits(parcel_id: int) -> sa.ColumnElement[bool]:
    # A replica that was stopped meanwhile may come with old news.
    return sa.and_(outbox.c.id == parcel_id, outbox.c.status == PENDING)


def give_up(
    connection: Connection, channels: Iterable[str], at: float, older_than_seconds: float = 0.0
) -> int:
    """Note that what waits for none of *channels*, given by `address`, will never arrive.

    Only what is *older_than_seconds* is given up. Tells how many there were.
    """
    named = [tuple(each.partition(_SEPARATOR)[::2]) for each in channels]
    place = sa.tuple_(outbox.c.channel, outbox.c.destination)
    gone = sa.and_(outbox.c.status == PENDING, *([place.not_in(named)] if named else []))
    if older_than_seconds:
        gone = sa.and_(gone, outbox.c.created_at < at - older_than_seconds)
    change = {"status": REJECTED, "finished_at": at, "problem": GONE}
    return connection.execute(sa.update(outbox).where(gone).values(change)).rowcount


def put_off(
    connection: Connection, parcel_id: int, due_at: float, problem: str, at: float = 0.0
) -> None:
    """Note at *at* that a message did not arrive this time."""
    change = {"due_at": due_at, "due_set_at": at, "problem": problem}
    connection.execute(sa.update(outbox).where(_still_waits(parcel_id)).values(change))


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


def delivered_incidents(connection: Connection, incident_ids: Sequence[str]) -> frozenset[str]:
    """Give those of the incidents whose report has reached every channel."""
    query = (
        sa.select(outbox.c.incident_id)
        .where(outbox.c.incident_id.in_(incident_ids), outbox.c.event == REPORTED)
        .group_by(outbox.c.incident_id)
        .having(sa.func.min(sa.case((outbox.c.status == DELIVERED, 1), else_=0)) == 1)
    )
    return frozenset(row.incident_id for row in connection.execute(query))
