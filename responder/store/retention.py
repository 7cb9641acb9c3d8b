"""What is old enough to go: incidents that are over and told, bodies that were read, changes."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.incident import IncidentState
from responder.store import work as work_queries
from responder.store.outbox import PENDING
from responder.store.tables import (
    changes,
    deliveries,
    episode_facts,
    episodes,
    frames,
    incident_keys,
    incident_log,
    incidents,
    model_turns,
    outbox,
    reports,
    stages,
    verdicts,
    work,
)

_UNREAD = sa.and_(deliveries.c.problem.is_not(None), deliveries.c.requeued_at.is_(None))


def expired(
    connection: Connection, before: float, limit: int, among: Sequence[str] | None = None
) -> Sequence[str]:
    """Give incidents that have been over since *before* and that nothing is to follow from.

    None that is open, waits to be investigated, has an alert that fires, a message that waits, or
    a post that could not be read; nor one that an incident which is kept refers to.
    """
    other = incidents.alias()
    is_over = sa.and_(
        incidents.c.resolved_at < before,
        incidents.c.state.in_([IncidentState.REPORTED, IncidentState.CLOSED]),
    )
    ties = (
        sa.select(work.c.id).where(
            work.c.incident_id == incidents.c.id,
            work.c.state.in_([work_queries.WAITING, work_queries.RUNNING]),
        ),
        sa.select(outbox.c.id).where(
            outbox.c.incident_id == incidents.c.id, outbox.c.status == PENDING
        ),
        sa.select(episodes.c.id).where(
            episodes.c.incident_id == incidents.c.id, episodes.c.resolved_at.is_(None)
        ),
        sa.select(episode_facts.c.id)
        .join(episodes, episodes.c.id == episode_facts.c.episode_id)
        .join(deliveries, deliveries.c.id == episode_facts.c.delivery_id)
        .where(episodes.c.incident_id == incidents.c.id, _UNREAD),
        sa.select(other.c.id).where(
            sa.or_(other.c.occurrence_of == incidents.c.id, other.c.merged_into == incidents.c.id)
        ),
    )
    query = sa.select(incidents.c.id).where(is_over, *(~sa.exists(tie) for tie in ties))
    if among is not None:
        query = query.where(incidents.c.id.in_(among))
    query = query.order_by(incidents.c.resolved_at, incidents.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def runs_of(connection: Connection, incident_ids: Sequence[str]) -> Sequence[str]:
    """Give the ids of the runs that the investigations of incidents have had."""
    attempts = work_queries.attempts_of(connection, incident_ids)
    return [run for task_id, count in attempts.items() for run in work_queries.runs(task_id, count)]


def delete(connection: Connection, incident_ids: Sequence[str]) -> None:
    """Delete incidents with all that is stored of them, but for the posts that they came by."""
    members = sa.select(episodes.c.id).where(episodes.c.incident_id.in_(incident_ids))
    tasks = sa.select(work.c.id).where(work.c.incident_id.in_(incident_ids))
    steps = [
        sa.delete(outbox).where(outbox.c.incident_id.in_(incident_ids)),
        sa.delete(reports).where(reports.c.incident_id.in_(incident_ids)),
        sa.delete(verdicts).where(verdicts.c.incident_id.in_(incident_ids)),
        sa.delete(frames).where(frames.c.investigation_id.in_(tasks)),
        sa.delete(model_turns).where(model_turns.c.incident_id.in_(incident_ids)),
        sa.delete(stages).where(stages.c.incident_id.in_(incident_ids)),
        sa.delete(work).where(work.c.incident_id.in_(incident_ids)),
        sa.delete(episode_facts).where(episode_facts.c.episode_id.in_(members)),
        sa.delete(episodes).where(episodes.c.incident_id.in_(incident_ids)),
        sa.delete(incident_log).where(incident_log.c.incident_id.in_(incident_ids)),
        sa.delete(incident_keys).where(incident_keys.c.incident_id.in_(incident_ids)),
        sa.delete(incidents).where(incidents.c.id.in_(incident_ids)),
    ]
    for step in steps:
        connection.execute(step)


def full_bodies(connection: Connection, before: float, limit: int) -> Sequence[str]:
    """Give the posts received *before* that were read and whose bodies are still there."""
    is_old = sa.and_(deliveries.c.received_at < before, deliveries.c.body != b"", ~_UNREAD)
    return list(connection.execute(sa.select(deliveries.c.id).where(is_old).limit(limit)).scalars())


def empty(connection: Connection, delivery_ids: Sequence[str]) -> None:
    """Empty the bodies of posts."""
    chosen = deliveries.c.id.in_(delivery_ids)
    connection.execute(sa.update(deliveries).where(chosen).values(body=b""))


def old_deliveries(connection: Connection, before: float, limit: int) -> Sequence[str]:
    """Give the posts received *before* that nothing refers to any more."""
    old = sa.select(deliveries.c.id).where(deliveries.c.received_at < before, ~_UNREAD)
    fact = sa.select(episode_facts.c.id).where(episode_facts.c.delivery_id == deliveries.c.id)
    change = sa.select(changes.c.id).where(changes.c.delivery_id == deliveries.c.id)
    chosen = old.where(~sa.exists(fact), ~sa.exists(change)).limit(limit)
    return list(connection.execute(chosen).scalars())


def delete_deliveries(connection: Connection, delivery_ids: Sequence[str]) -> None:
    """Delete posts: nothing new ever refers to an old one that could be read."""
    connection.execute(sa.delete(deliveries).where(deliveries.c.id.in_(delivery_ids)))


def old_changes(connection: Connection, before: float, limit: int) -> Sequence[str]:
    """Give the changes made *before*."""
    query = sa.select(changes.c.id).where(changes.c.at < before).limit(limit)
    return list(connection.execute(query).scalars())


def delete_changes(connection: Connection, change_ids: Sequence[str]) -> None:
    """Delete changes."""
    connection.execute(sa.delete(changes).where(changes.c.id.in_(change_ids)))
