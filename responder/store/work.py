"""Work to do: one investigation for each incident that is worth one, and who is at it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.incident import CRITICAL, Turn
from responder.store import replicas
from responder.store.tables import work

WAITING, RUNNING, DONE, DROPPED = "waiting", "running", "done", "dropped"

_CLOCK_SLACK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One investigation to run; `id` is the investigation's, `attempts` counts this one too.

    `begun_by` is the replica, dead by now, that has begun this attempt; None when nobody has.
    """

    id: str
    incident_id: str
    attempts: int
    begun_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Seeker:
    """Who looks for work: a replica, what it is at already, and whether for critical work alone."""

    owner: str
    busy_with: frozenset[str] = frozenset()
    is_urgent: bool = False


def add(connection: Connection, incident_id: str, turn: Turn, at: float) -> None:
    """Store that an incident is to be investigated."""
    connection.execute(sa.insert(work), row(incident_id, turn, at))


def row(incident_id: str, turn: Turn, at: float) -> dict[str, object]:
    """Give the row of new work, for who inserts many at once."""
    return {
        "id": f"{incident_id}-1",
        "incident_id": incident_id,
        "priority": turn.priority,
        "due_at": turn.due_at,
        "due_set_at": at,
        "state": WAITING,
        "created_at": at,
    }


def put_off(connection: Connection, incident_id: str, turn: Turn, at: float | None = None) -> None:
    """Give work that has not begun another turn, decided *at*."""
    waiting = sa.and_(work.c.incident_id == incident_id, work.c.state == WAITING)
    change = {"priority": turn.priority, "due_at": turn.due_at}
    if at is not None:
        change["due_set_at"] = at
    connection.execute(sa.update(work).where(waiting).values(change))


def drop(connection: Connection, incident_id: str, at: float) -> bool:
    """Take back work that has not begun; tell whether there was such."""
    waiting = sa.and_(work.c.incident_id == incident_id, work.c.state == WAITING)
    change = {"state": DROPPED, "finished_at": at}
    return connection.execute(sa.update(work).where(waiting).values(change)).rowcount > 0


def claim(connection: Connection, at: float, seeker: Seeker) -> Task | None:
    """Take the piece of work whose turn it is: the worst severity, then what was begun before.

    That is what waits and is due, and what a dead replica has left. No two are given the same.
    """
    query = (
        sa.select(work)
        .where(_free(connection, at, seeker))
        .order_by(work.c.priority, work.c.state, work.c.due_at, work.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(query).one_or_none()
    if found is None:
        return None
    is_begun = found.state == RUNNING
    attempts = found.attempts if is_begun else found.attempts + 1
    change = {"state": RUNNING, "attempts": attempts, "owner": seeker.owner}
    connection.execute(sa.update(work).where(work.c.id == found.id).values(change))
    return Task(
        id=found.id,
        incident_id=found.incident_id,
        attempts=attempts,
        begun_by=found.owner if is_begun else None,
    )


def next_due_at(connection: Connection, at: float, seeker: Seeker) -> float | None:
    """Give when the next turn comes, *at* when it has come, None when nothing waits."""
    free = _free(connection, at, seeker)
    if connection.execute(sa.select(work.c.id).where(free).limit(1)).first() is not None:
        return at
    query = sa.select(sa.func.min(work.c.due_at)).where(work.c.state == WAITING, *_wanted(seeker))
    return connection.execute(query).scalar_one_or_none()


def _free(connection: Connection, at: float, seeker: Seeker) -> sa.ColumnElement[bool]:
    # A turn that was set in the future was set by a clock that has been put back since.
    is_due = sa.or_(work.c.due_at <= at, work.c.due_set_at > at + _CLOCK_SLACK_SECONDS)
    waits = sa.and_(work.c.state == WAITING, is_due)
    is_dead = sa.and_(
        work.c.owner.not_in(replicas.alive_query(connection)),
        # What its owner gave back is free at once.
        sa.or_(work.c.owner == "", replicas.may_judge(connection, seeker.owner)),
    )
    # What is ours and not being run was lost by a task of ours that died.
    is_left = sa.and_(
        sa.or_(is_dead, work.c.owner == seeker.owner), work.c.id.not_in(seeker.busy_with)
    )
    left = sa.and_(work.c.state == RUNNING, is_left)
    return sa.and_(sa.or_(waits, left), *_wanted(seeker))


def _wanted(seeker: Seeker) -> tuple[sa.ColumnElement[bool], ...]:
    return (work.c.priority <= CRITICAL,) if seeker.is_urgent else ()


def pending(connection: Connection) -> int:
    """Count what waits or runs."""
    query = sa.select(sa.func.count()).where(work.c.state.in_([WAITING, RUNNING]))
    return connection.execute(query).scalar_one()


def oldest_pending(connection: Connection) -> float | None:
    """Give when the oldest work that waits or runs was created, None when there is none."""
    query = sa.select(sa.func.min(work.c.created_at)).where(work.c.state.in_([WAITING, RUNNING]))
    return connection.execute(query).scalar_one_or_none()


def is_held(connection: Connection, task_id: str, owner: str) -> bool:
    """Tell whether *owner* is still the one who runs this work."""
    query = sa.select(work.c.id).where(*_held(task_id, owner))
    return connection.execute(query).first() is not None


def finish(
    connection: Connection, task_id: str, at: float, owner: str, *, state: str = DONE
) -> bool:
    """Note that work is done, or DROPPED; false, and nothing noted, when *owner* has lost it."""
    change = {"state": state, "finished_at": at}
    mine = sa.update(work).where(*_held(task_id, owner)).values(change)
    return connection.execute(mine).rowcount > 0


def retry(  # noqa: PLR0913 - what failed, whose it was, and when it is tried again
    connection: Connection, task_id: str, owner: str, *, due_at: float, at: float, problem: str
) -> bool:
    """Put work that failed back, to be tried again; false when *owner* has lost it."""
    change = {
        "state": WAITING,
        "due_at": due_at,
        "due_set_at": at,
        "problem": problem,
        "owner": "",
    }
    mine = sa.update(work).where(*_held(task_id, owner)).values(change)
    return connection.execute(mine).rowcount > 0


def release(connection: Connection, owner: str) -> int:
    """Let others go on with what *owner* runs; tell how many there were."""
    mine = sa.and_(work.c.owner == owner, work.c.state == RUNNING)
    return connection.execute(sa.update(work).where(mine).values(owner="")).rowcount


def runs(task_id: str, attempts: int) -> tuple[str, ...]:
    """Give the ids of the runs that so many attempts at a piece of work have had."""
    return tuple(
        task_id if number < 2 else f"{task_id}.{number}" for number in range(1, attempts + 1)
    )


def attempts_of(connection: Connection, incident_ids: Collection[str]) -> dict[str, int]:
    """Give how often the work of each incident was attempted, by the work's id."""
    query = sa.select(work.c.id, work.c.attempts).where(work.c.incident_id.in_(incident_ids))
    return {each.id: each.attempts for each in connection.execute(query)}


def _held(task_id: str, owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (work.c.id == task_id, work.c.state == RUNNING, work.c.owner == owner)
