"""The processes that share a database: which are alive, and what only one may do at a time.

Times here are the database's own, so that replicas whose clocks differ agree on who is dead.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.store.engine import database_now, insert_new
from responder.store.tables import leases, replicas

_SQLITE = "sqlite"
# Of `dead_after_seconds`; that is at least two heartbeats, which must not look late by themselves.
_LATE_RATIO = 2 / 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Presence:
    """One start of the program; silent for `dead_after_seconds`, it is dead for the others."""

    id: str
    name: str
    version: str
    dead_after_seconds: float


def beat(connection: Connection, presence: Presence) -> None:
    """Note that a replica is alive; on SQLite, where only one can be, the others are gone."""
    now = database_now(connection)
    # Sooner than it is dead: the others' last heartbeats may have been a little before its own.
    late_seconds = _LATE_RATIO * replicas.c.dead_after_seconds
    was_silent = replicas.c.heartbeat_at <= now - late_seconds
    steady_since = sa.case((was_silent, now), else_=replicas.c.steady_since)
    change = {"heartbeat_at": now, "steady_since": steady_since}
    here = sa.update(replicas).where(replicas.c.id == presence.id).values(change)
    if connection.execute(here).rowcount:
        return
    if connection.dialect.name == _SQLITE:
        connection.execute(sa.delete(replicas).where(replicas.c.id != presence.id))
    row = {
        "id": presence.id,
        "name": presence.name,
        "version": presence.version,
        "started_at": now,
        "heartbeat_at": now,
        # Who has just come knows nothing of the others either.
        "steady_since": now,
        "dead_after_seconds": presence.dead_after_seconds,
    }
    insert_new(connection, replicas, row)


def leave(connection: Connection, replica_id: str) -> None:
    """Take a replica that stops off the list, and free its leases."""
    connection.execute(sa.delete(leases).where(leases.c.owner == replica_id))
    connection.execute(sa.delete(replicas).where(replicas.c.id == replica_id))


def alive(connection: Connection) -> frozenset[str]:
    """Give the ids of the replicas that are alive."""
    return frozenset(connection.execute(alive_query(connection)).scalars())


def names(connection: Connection) -> dict[str, str]:
    """Give the name of each replica by its id, of dead ones too."""
    query = sa.select(replicas.c.id, replicas.c.name)
    return {row.id: row.name for row in connection.execute(query)}


def bury(connection: Connection, silent_seconds: float) -> int:
    """Forget the replicas that have been silent for so long; tell how many there were."""
    silent = replicas.c.heartbeat_at < database_now(connection) - silent_seconds
    return connection.execute(sa.delete(replicas).where(silent)).rowcount


def hold(connection: Connection, name: str, replica_id: str) -> bool:
    """Take or keep the lease *name*; tell whether it is this replica's until the commit.

    Belongs into the transaction of what it allows: there the lease cannot change hands, not even
    when this process was stopped for longer than it takes to be held for dead. A lease whose
    owner is dead is free. On SQLite always true: there is no other replica.
    """
    if connection.dialect.name == _SQLITE:
        return True
    living = alive_query(connection)
    row = {"name": name, "owner": replica_id, "taken_at": database_now(connection)}
    insert_new(connection, leases, row)
    is_free = sa.or_(leases.c.owner == replica_id, leases.c.owner.not_in(living))
    # The dead take nothing: they come back to life with a heartbeat first.
    mine = sa.and_(leases.c.name == name, is_free, sa.literal(replica_id).in_(living))
    change = {"owner": replica_id, "taken_at": row["taken_at"]}
    return connection.execute(sa.update(leases).where(mine).values(change)).rowcount > 0


def give_back(connection: Connection, name: str, replica_id: str) -> None:
    """Free the lease *name*, if it is this replica's."""
    mine = sa.and_(leases.c.name == name, leases.c.owner == replica_id)
    connection.execute(sa.delete(leases).where(mine))


def may_judge(connection: Connection, replica_id: str) -> sa.ColumnElement[bool]:
    """Say whether a replica may hold others for dead: not before it has been steady for a while.

    After an outage of the database all are silent, and who comes back first knows nothing of the
    others: they get as long as the dead are given. On SQLite there are no others.
    """
    if connection.dialect.name == _SQLITE:
        return sa.true()
    now = database_now(connection)
    is_back = sa.or_(
        replicas.c.heartbeat_at <= now - replicas.c.dead_after_seconds,
        replicas.c.steady_since > now - replicas.c.dead_after_seconds,
    )
    return ~sa.exists().where(replicas.c.id == replica_id, is_back)


def alive_query(connection: Connection) -> sa.Select[*tuple[str]]:
    """Select the ids of the replicas that are alive."""
    query = sa.select(replicas.c.id)
    if connection.dialect.name == _SQLITE:
        return query
    silent_seconds = database_now(connection) - replicas.c.heartbeat_at
    return query.where(silent_seconds < replicas.c.dead_after_seconds)
