"""What the comparison asks of the store: how far it has come, what is open, what was cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from responder.alert import Alert, indexed
from responder.incident import WATCHDOG
from responder.store import incidents
from responder.store.incidents import Entry
from responder.store.tables import deliveries, episode_facts, episodes, marks

_NEWEST = 1000
_MOST_OPEN = 50_000
_MOST_CUT = 20
_MOST_GENERATORS = 200
_WEBHOOK = "alertmanager"
_RAISED_BY = "raised by "


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """An episode that fires, as far as we know."""

    id: str
    incident_id: str | None
    alert: Alert


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A post that Alertmanager cut alerts from."""

    id: str
    received_at: float
    group_key: str
    receiver: str
    body: bytes


def mark(connection: Connection, name: str) -> float | None:
    """Give how far *name* has come, None before its first time."""
    query = sa.select(marks.c.at).where(marks.c.name == name)
    return connection.execute(query).scalar_one_or_none()


def set_mark(connection: Connection, name: str, at: float) -> None:
    """Note how far *name* has come."""
    change = sa.update(marks).where(marks.c.name == name).values(at=at)
    if not connection.execute(change).rowcount:
        connection.execute(sa.insert(marks), {"name": name, "at": at})


def generators(connection: Connection, since: float) -> frozenset[str]:
    """Give the programs whose alerts Alertmanager listed at *since* or later."""
    found = sa.select(marks.c.name).where(marks.c.name.startswith(_RAISED_BY), marks.c.at >= since)
    names = connection.execute(found.limit(_MOST_GENERATORS)).scalars()
    return frozenset(name.removeprefix(_RAISED_BY) for name in names)


def keep_generators(
    connection: Connection, names: Iterable[str], at: float, *, since: float
) -> None:
    """Note whose alerts Alertmanager lists now, and forget those not seen after *since*."""
    for name in sorted(names)[:_MOST_GENERATORS]:
        set_mark(connection, _RAISED_BY + indexed(name), at)
    old = sa.and_(marks.c.name.startswith(_RAISED_BY), marks.c.at < since)
    connection.execute(sa.delete(marks).where(old))


def newest_post_at(connection: Connection, before: float) -> float | None:
    """Give when Alertmanager last posted before a time, None when it never did."""
    query = sa.select(sa.func.max(deliveries.c.received_at)).where(
        deliveries.c.kind == _WEBHOOK, deliveries.c.received_at < before
    )
    return connection.execute(query).scalar_one_or_none()


def receivers(connection: Connection) -> frozenset[str]:
    """Give the receivers that the newest posts named."""
    newest = (
        sa.select(deliveries.c.kind, deliveries.c.receiver)
        .order_by(deliveries.c.received_at.desc())
        .limit(_NEWEST)
        .subquery()
    )
    query = sa.select(newest.c.receiver).distinct().where(newest.c.kind == _WEBHOOK)
    return frozenset(name for name in connection.execute(query).scalars() if name)


def open_episodes(connection: Connection) -> Sequence[Open]:
    """Give the episodes that fire, but for the watchdog's."""
    columns = (episodes.c.id, episodes.c.incident_id, episodes.c.alert)
    is_open = sa.and_(episodes.c.resolved_at.is_(None), episodes.c.alertname != WATCHDOG)
    query = sa.select(*columns).where(is_open).limit(_MOST_OPEN)
    return [
        Open(id=row.id, incident_id=row.incident_id, alert=Alert.model_validate(row.alert))
        for row in connection.execute(query)
    ]


def has_begun(connection: Connection, alert: Alert, over_since: float) -> bool:
    """Tell whether an episode stands for an alert that fires: by its start or its time.

    One that is over stands for it only where its end was seen after *over_since*: what fires on
    long after it was said to be over was not over.
    """
    same = sa.func.abs(episodes.c.starts_at - alert.starts_at) < 0.001
    query = sa.select(episodes.c.id).where(
        episodes.c.fingerprint == alert.fingerprint,
        sa.or_(same, episodes.c.resolved_at.is_(None), episodes.c.resolved_at > alert.starts_at),
        sa.or_(episodes.c.resolved_at.is_(None), episodes.c.resolved_seen_at >= over_since),
    )
    return connection.execute(query.limit(1)).first() is not None


def alerts_named(connection: Connection, name: str, start: float, end: float) -> Sequence[Alert]:
    """Give the alerts of that name whose episodes share time with a span."""
    query = sa.select(episodes.c.alert).where(
        episodes.c.alertname == indexed(name),
        episodes.c.starts_at < end,
        sa.or_(episodes.c.resolved_at.is_(None), episodes.c.resolved_at > start),
    )
    return [Alert.model_validate(alert) for alert in connection.execute(query).scalars()]


def cut_since(connection: Connection, since: float) -> Sequence[Cut]:
    """Give the posts after *since* that Alertmanager cut alerts from, oldest first."""
    query = (
        sa.select(deliveries)
        .where(
            deliveries.c.received_at > since,
            deliveries.c.kind == _WEBHOOK,
            # No parameter: a plan for any value could not know that the index holds them all.
            deliveries.c.truncated > sa.literal_column("0"),
        )
        .order_by(deliveries.c.received_at)
        .limit(_MOST_CUT)
    )
    return [
        Cut(
            id=row.id,
            received_at=row.received_at,
            group_key=row.group_key,
            receiver=row.receiver,
            body=row.body,
        )
        for row in connection.execute(query)
    ]


def group_labels(cut: Cut) -> dict[str, str]:
    """Give the labels that the alerts of a post have in common; raises ValueError."""
    found = orjson.loads(cut.body).get("groupLabels") or {}
    return {str(name): str(value) for name, value in found.items()}


def tell(connection: Connection, delivery_id: str, at: float, reason: str) -> int:
    """Tell the incidents that a post changed why; give how many episodes it changed."""
    query = (
        sa.select(episodes.c.id, episodes.c.incident_id, episodes.c.alertname)
        .join(episode_facts, episode_facts.c.episode_id == episodes.c.id)
        .where(episode_facts.c.delivery_id == delivery_id)
    )
    rows = connection.execute(query).all()
    for row in rows:
        if row.incident_id and reason:
            entry = Entry(at=at, event="compared", text=f"{row.alertname}: {reason}")
            incidents.log(connection, row.incident_id, entry)
    return len(rows)
