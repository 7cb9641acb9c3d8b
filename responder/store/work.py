"""Work to do: one investigation for each incident that is worth one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.incident import Turn
from responder.store.tables import work

WAITING, RUNNING, DONE, DROPPED = "waiting", "running", "done", "dropped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One investigation to run; `id` is the investigation's, `attempts` counts this one too."""

    id: str
    incident_id: str
    attempts: int


def add(connection: Connection, incident_id: str, turn: Turn, at: float) -> None:
    """Store that an incident is to be investigated."""
    row = {
        "id": f"{incident_id}-1",
        "incident_id": incident_id,
        "priority": turn.priority,
        "due_at": turn.due_at,
        "state": WAITING,
        "created_at": at,
    }
    connection.execute(sa.insert(work), row)


def put_off(connection: Connection, incident_id: str, turn: Turn) -> None:
    """Give work that has not begun another turn."""
    waiting = sa.and_(work.c.incident_id == incident_id, work.c.state == WAITING)
    change = {"priority": turn.priority, "due_at": turn.due_at}
    connection.execute(sa.update(work).where(waiting).values(change))


def drop(connection: Connection, incident_id: str, at: float) -> bool:
    """Take back work that has not begun; tell whether there was such."""
    waiting = sa.and_(work.c.incident_id == incident_id, work.c.state == WAITING)
    change = {"state": DROPPED, "finished_at": at}
    return connection.execute(sa.update(work).where(waiting).values(change)).rowcount > 0


def claim(connection: Connection, at: float, limit: int) -> Sequence[Task]:
    """Take up to *limit* pieces of work whose turn has come, the worst severity first."""
    query = (
        sa.select(work)
        .where(work.c.state == WAITING, work.c.due_at <= at)
        .order_by(work.c.priority, work.c.due_at, work.c.id)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    if rows:
        connection.execute(
            sa.update(work)
            .where(work.c.id.in_([row.id for row in rows]))
            .values(state=RUNNING, attempts=work.c.attempts + 1)
        )
    return [Task(id=row.id, incident_id=row.incident_id, attempts=row.attempts + 1) for row in rows]


def running(connection: Connection) -> Sequence[Task]:
    """Give the work that was begun and is not done."""
    query = sa.select(work).where(work.c.state == RUNNING).order_by(work.c.priority, work.c.due_at)
    return [
        Task(id=row.id, incident_id=row.incident_id, attempts=row.attempts)
        for row in connection.execute(query)
    ]


def next_due_at(connection: Connection) -> float | None:
    """Give when the next turn comes, None when nothing waits."""
    query = sa.select(sa.func.min(work.c.due_at)).where(work.c.state == WAITING)
    return connection.execute(query).scalar_one_or_none()


def pending(connection: Connection) -> int:
    """Count what waits or runs."""
    query = sa.select(sa.func.count()).where(work.c.state.in_([WAITING, RUNNING]))
    return connection.execute(query).scalar_one()


def oldest_pending(connection: Connection) -> float | None:
    """Give when the oldest work that waits or runs was created, None when there is none."""
    query = sa.select(sa.func.min(work.c.created_at)).where(work.c.state.in_([WAITING, RUNNING]))
    return connection.execute(query).scalar_one_or_none()


def finish(connection: Connection, task_id: str, at: float) -> None:
    """Note that work is done."""
    change = {"state": DONE, "finished_at": at}
    connection.execute(sa.update(work).where(work.c.id == task_id).values(change))


def retry(connection: Connection, task_id: str, due_at: float, problem: str) -> None:
    """Put work that failed back, to be tried again."""
    failed = sa.and_(work.c.id == task_id, work.c.state == RUNNING)
    change = {"state": WAITING, "due_at": due_at, "problem": problem}
    connection.execute(sa.update(work).where(failed).values(change))
