"""Episodes: each fingerprint from firing to resolved, and the facts that made it so."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection, Row

from responder.alert import Alert, Episode
from responder.store import bulk
from responder.store.tables import episodes

_ONE_MOMENT_SECONDS = 0.001
_ALERT_FIELDS = tuple(Alert.model_fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """The latest episode of a fingerprint, and what the record itself does not say."""

    episode: Episode
    incident_id: str | None
    resolved_seen_at: float | None


def latest(connection: Connection, fingerprints: Collection[str]) -> Mapping[str, Stored]:
    """Give the latest episode of each fingerprint that has one: the open one, else the last over.

    What is learnt late may have begun before what is there, so the order of arrival says nothing.
    """
    # Most of a storm was never heard of: that is one look into an index for each.
    known = [row.fingerprint for row in bulk.rows_among(connection, _HEARD_OF, fingerprints)]
    rows = bulk.rows_among(connection, _LATEST, known)
    found: dict[str, Stored] = {}
    for row in sorted(rows, key=_recency):
        found[row.fingerprint] = _stored(row)
    return found


_HEARD_OF = "SELECT DISTINCT fingerprint FROM episodes WHERE fingerprint {many}"
# Two questions, each of which finds its rows by an index.
_COLUMNS = (
    "e.id, e.incident_id, e.fingerprint, e.first_seen_at, e.starts_at, e.resolved_at,"
    " e.resolved_seen_at, e.seen_late, e.alert"
)
_LATEST = (
    f"SELECT {_COLUMNS} FROM episodes e WHERE e.fingerprint {{many}} AND e.resolved_at IS NULL"  # noqa: S608 - names of our own
    f" UNION ALL SELECT {_COLUMNS} FROM (SELECT fingerprint, max(resolved_at) AS last FROM episodes"
    " WHERE fingerprint {many} GROUP BY fingerprint) l"
    " JOIN episodes e ON e.fingerprint = l.fingerprint AND e.resolved_at = l.last"
)


def _recency(row: Row[Any]) -> tuple[float, float, float]:
    ended_at = math.inf if row.resolved_at is None else row.resolved_at
    return ended_at, row.first_seen_at, row.starts_at


def _stored(row: Row[Any]) -> Stored:
    return Stored(
        episode=_episode(row),
        incident_id=row.incident_id,
        resolved_seen_at=row.resolved_seen_at,
    )


def overlapping(connection: Connection, alert: Alert, ends_at: float) -> Stored | None:
    """Give the episode of the alert's fingerprint that began with it or shares time with it.

    Of several the one that is open, or the last over.
    """
    has_begun = sa.func.abs(episodes.c.starts_at - alert.starts_at) < _ONE_MOMENT_SECONDS
    shares = sa.and_(
        episodes.c.starts_at < ends_at,
        sa.or_(episodes.c.resolved_at.is_(None), episodes.c.resolved_at > alert.starts_at),
    )
    query = sa.select(episodes).where(
        episodes.c.fingerprint == alert.fingerprint, sa.or_(has_begun, shares)
    )
    found = max(connection.execute(query), key=_recency, default=None)
    return None if found is None else _stored(found)


def packed(alert: Alert) -> str:
    """Give an alert as it is stored: what pydantic would write, but quicker."""
    fields = alert.__dict__  # and what the alert has worked out of them once
    return orjson.dumps({name: fields[name] for name in _ALERT_FIELDS}).decode()


def move(connection: Connection, episode_ids: Sequence[str], incident_id: str) -> None:
    """Put episodes into another incident."""
    chosen = episodes.c.id.in_(episode_ids)
    connection.execute(sa.update(episodes).where(chosen).values(incident_id=incident_id))


def of_incidents(
    connection: Connection, incident_ids: Sequence[str], *, limit: int | None = None
) -> Mapping[str, tuple[Episode, ...]]:
    """Give the episodes of each incident, oldest first; *limit* is how many in all."""
    query = (
        sa.select(episodes)
        .where(episodes.c.incident_id.in_(incident_ids))
        # Alerts of one post often began at one moment: their names then decide, not their ids.
        .order_by(
            episodes.c.starts_at,
            episodes.c.first_seen_at,
            episodes.c.alertname,
            episodes.c.fingerprint,
        )
        .limit(limit)
    )
    found: dict[str, list[Episode]] = {incident_id: [] for incident_id in incident_ids}
    for row in connection.execute(query):
        found[row.incident_id].append(_episode(row))
    return {incident_id: tuple(each) for incident_id, each in found.items()}


def last_seen(connection: Connection, alertname: str) -> float | None:
    """Give when an alert of that name last arrived, None when it never did."""
    query = sa.select(sa.func.max(episodes.c.last_seen_at)).where(episodes.c.alertname == alertname)
    return connection.execute(query).scalar_one_or_none()


def _episode(row: Row[Any]) -> Episode:
    # A query that was not compiled gives SQLite's JSON as its text.
    alert = orjson.loads(row.alert) if isinstance(row.alert, str) else row.alert
    return Episode(
        id=row.id,
        alert=Alert.model_validate(alert),
        first_seen_at=row.first_seen_at,
        resolved_at=row.resolved_at,
        seen_late=row.seen_late,
    )
