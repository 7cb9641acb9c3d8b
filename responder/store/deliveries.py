"""What was posted, as it came: raw bodies, and those that could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from responder.alert import Change, Delivery
from responder.store.engine import insert_new
from responder.store.tables import changes, deliveries

_SHOWN_BYTES = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw:
    """One post as it came; `problem` says why it, or a part of it, could not be read."""

    id: str
    kind: str
    received_at: float
    body: bytes
    problem: str | None = None


def keep(connection: Connection, raw: Raw, delivery: Delivery | None = None) -> None:
    """Store a post, with what its envelope says where that could be read."""
    read = {
        "group_key": delivery.group_key if delivery else "",
        "receiver": delivery.receiver if delivery else "",
        "external_url": delivery.external_url if delivery else "",
        "truncated": delivery.truncated if delivery else 0,
    }
    row = {
        "id": raw.id,
        "kind": raw.kind,
        "received_at": raw.received_at,
        "body": raw.body,
        "problem": raw.problem,
    }
    connection.execute(sa.insert(deliveries), row | read)


def unread(connection: Connection, delivery_id: str) -> Raw | None:
    """Give a post in quarantine, whole; None when it is not there or was read since."""
    query = sa.select(deliveries).where(
        deliveries.c.id == delivery_id,
        deliveries.c.problem.is_not(None),
        deliveries.c.requeued_at.is_(None),
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _raw(row, row.body)


def unread_ids(connection: Connection) -> Sequence[str]:
    """Give the ids of all posts in quarantine that were not read since, the oldest first."""
    query = (
        sa.select(deliveries.c.id)
        .where(deliveries.c.problem.is_not(None), deliveries.c.requeued_at.is_(None))
        .order_by(deliveries.c.received_at, deliveries.c.id)
    )
    return list(connection.execute(query).scalars())


def requeue(connection: Connection, delivery_id: str, at: float) -> None:
    """Note that a post in quarantine could be read after all."""
    change = {"requeued_at": at}
    connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery_id).values(change))


def quarantined(connection: Connection, limit: int) -> Sequence[Raw]:
    """Give the newest posts that could not be read, nor since; each with how its body begins."""
    query = (
        sa.select(deliveries)
        .where(deliveries.c.problem.is_not(None), deliveries.c.requeued_at.is_(None))
        .order_by(deliveries.c.received_at.desc())
        .limit(limit)
    )
    return [_raw(row, row.body[:_SHOWN_BYTES]) for row in connection.execute(query)]


def _raw(row: Row[Any], body: bytes) -> Raw:
    return Raw(
        id=row.id, kind=row.kind, received_at=row.received_at, body=body, problem=row.problem
    )


def keep_change(connection: Connection, change: Change, delivery_id: str) -> bool:
    """Store a change unless it is there already; tell whether it was new."""
    row = {
        "id": change.id,
        "delivery_id": delivery_id,
        "at": change.at,
        "service": change.service,
        "kind": change.kind,
        "title": change.title,
        "version": change.version,
        "author": change.author,
        "link": change.link,
    }
    return insert_new(connection, changes, row)


def changes_between(
    connection: Connection, start: float, end: float, limit: int
) -> tuple[Change, ...]:
    """Give the newest changes of a span of time, newest first."""
    query = (
        sa.select(changes)
        .where(changes.c.at.between(start, end))
        .order_by(changes.c.at.desc(), changes.c.id)
        .limit(limit)
    )
    return tuple(
        Change(
            id=row.id,
            at=row.at,
            service=row.service,
            kind=row.kind,
            title=row.title,
            version=row.version,
            author=row.author,
            link=row.link,
        )
        for row in connection.execute(query)
    )
