"""What the store holds and nothing will ever finish: each count must be 0, whatever happened.

The ledger is read from the tables alone, so that a fault of the program that fills them shows.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from responder.incident import WATCHDOG, IncidentState
from responder.store.engine import database_now
from responder.store.tables import episodes, incidents, outbox, replicas, reports, work
from responder.store.work import RUNNING, WAITING

# A dead replica's work is free at once, and taken when another has a hand free for it.
_TAKEN_OVER_WITHIN_SECONDS = 120.0
# A report without a message is told of for a day: for longer, a time without channels would be.
_MESSAGES_SECONDS = 24 * 3600.0


def unaccounted(
    connection: Connection, at: float, *, has_channels: bool = True
) -> Mapping[str, int]:
    """Count what is lost, by kind.

    `episode`: in no incident; `incident`: to be investigated, and there is no work for it; `work`:
    its replica is dead and no other took it; `report`: said to be made, and not there; `message`:
    a report of the last day that no channel was to get.
    """
    return {
        "episode": _count(connection, episodes, _episode_is_lost()),
        "incident": _count(connection, incidents, _incident_is_lost()),
        "work": _count(connection, work, _work_is_lost(connection)),
        "report": _count(connection, incidents, _report_is_lost()),
        "message": _count(connection, reports, _message_is_lost(at, has_channels=has_channels)),
    }


def _count(connection: Connection, table: sa.Table, lost: ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(lost)
    return connection.execute(query).scalar_one()


def _episode_is_lost() -> ColumnElement[bool]:
    return sa.and_(episodes.c.incident_id.is_(None), episodes.c.alertname != WATCHDOG)


def _incident_is_lost() -> ColumnElement[bool]:
    ahead = (IncidentState.WAITING, IncidentState.INVESTIGATING)
    has_work = sa.exists().where(
        work.c.incident_id == incidents.c.id, work.c.state.in_([WAITING, RUNNING])
    )
    return sa.and_(incidents.c.state.in_(ahead), ~has_work)


def _work_is_lost(connection: Connection) -> ColumnElement[bool]:
    """Say of running work that its owner is silent or gone, and others had time to take it."""
    now = database_now(connection)
    bound = now - _TAKEN_OVER_WITHIN_SECONDS
    owner = sa.exists().where(
        replicas.c.id == work.c.owner,
        replicas.c.heartbeat_at + replicas.c.dead_after_seconds >= bound,
    )
    someone_could = sa.exists().where(replicas.c.started_at < bound)
    # Given back in order, it has no owner, and waits like any other.
    return sa.and_(work.c.state == RUNNING, work.c.owner != "", ~owner, someone_could)


def _report_is_lost() -> ColumnElement[bool]:
    has_report = sa.exists().where(reports.c.incident_id == incidents.c.id)
    return sa.and_(incidents.c.state == IncidentState.REPORTED, ~has_report)


def _message_is_lost(at: float, *, has_channels: bool) -> ColumnElement[bool]:
    """In no channel, though one was in use before it was made and one is configured now."""
    first = sa.select(sa.func.min(outbox.c.created_at)).scalar_subquery()
    has_message = sa.exists().where(outbox.c.incident_id == reports.c.incident_id)
    return sa.and_(
        sa.literal(has_channels),
        reports.c.created_at >= at - _MESSAGES_SECONDS,
        reports.c.created_at > first,
        ~has_message,
    )
