"""Episodes: each fingerprint from firing to resolved, and the facts that made it so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from responder.alert import Alert, Episode
from responder.store.tables import episode_facts, episodes


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """The latest episode of a fingerprint, and what the record itself does not say."""

    episode: Episode
    incident_id: str | None
    resolved_seen_at: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One thing that a delivery told about an episode; facts are only ever added."""

    episode_id: str
    delivery_id: str
    at: float
    fact: str
    alert: Alert


def latest(connection: Connection, fingerprints: Iterable[str]) -> Mapping[str, Stored]:
    """Give the latest episode of each fingerprint that has one."""
    query = (
        sa.select(episodes)
        .where(episodes.c.fingerprint.in_(list(fingerprints)))
        .order_by(episodes.c.first_seen_at, episodes.c.starts_at)
    )
    return {
        row.fingerprint: Stored(
            episode=_episode(row),
            incident_id=row.incident_id,
            resolved_seen_at=row.resolved_seen_at,
        )
        for row in connection.execute(query)
    }


def add(connection: Connection, episode: Episode, incident_id: str | None) -> None:
    """Store a new episode."""
    alert = episode.alert
    row = {
        "id": episode.id,
        "incident_id": incident_id,
        "fingerprint": alert.fingerprint,
        "alertname": alert.name,
        "first_seen_at": episode.first_seen_at,
        "last_seen_at": episode.first_seen_at,
        "starts_at": alert.starts_at,
        "resolved_at": episode.resolved_at,
        "resolved_seen_at": None if episode.resolved_at is None else episode.first_seen_at,
        "seen_late": episode.seen_late,
        "alert": alert.model_dump(mode="json"),
    }
    connection.execute(sa.insert(episodes), row)


def tell(connection: Connection, fact: Fact) -> None:
    """Add a fact."""
    row = {
        "episode_id": fact.episode_id,
        "delivery_id": fact.delivery_id,
        "at": fact.at,
        "fact": fact.fact,
        "starts_at": fact.alert.starts_at,
        "ends_at": fact.alert.ends_at,
    }
    connection.execute(sa.insert(episode_facts), row)


def seen(connection: Connection, episode_id: str, alert: Alert, at: float) -> None:
    """Note that an open episode still fires; its start may move earlier, never later."""
    change = {
        "last_seen_at": at,
        "starts_at": alert.starts_at,
        "alert": alert.model_dump(mode="json"),
    }
    connection.execute(sa.update(episodes).where(episodes.c.id == episode_id).values(change))


def resolve(connection: Connection, episode_id: str, ended_at: float, at: float) -> None:
    """Note that an episode is over."""
    change = {"last_seen_at": at, "resolved_at": ended_at, "resolved_seen_at": at}
    connection.execute(sa.update(episodes).where(episodes.c.id == episode_id).values(change))


def move(connection: Connection, episode_ids: Sequence[str], incident_id: str) -> None:
    """Put episodes into another incident."""
    chosen = episodes.c.id.in_(episode_ids)
    connection.execute(sa.update(episodes).where(chosen).values(incident_id=incident_id))


def of_incidents(
    connection: Connection, incident_ids: Sequence[str]
) -> Mapping[str, tuple[Episode, ...]]:
    """Give the episodes of each incident, oldest first."""
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
    )
    found: dict[str, list[Episode]] = {incident_id: [] for incident_id in incident_ids}
    for row in connection.execute(query):
        found[row.incident_id].append(_episode(row))
    return {incident_id: tuple(each) for incident_id, each in found.items()}


def last_seen(connection: Connection, alertname: str) -> float | None:
    """Give when an alert of that name last arrived, None when it never did."""
    query = sa.select(sa.func.max(episodes.c.last_seen_at)).where(episodes.c.alertname == alertname)
    return connection.execute(query).scalar_one_or_none()


def _episode(row: Row[*tuple[object, ...]]) -> Episode:
    return Episode(
        id=row.id,
        alert=Alert.model_validate(row.alert),
        first_seen_at=row.first_seen_at,
        resolved_at=row.resolved_at,
        seen_late=row.seen_late,
    )
