"""Who may take which work, and who is held for dead."""

from __future__ import annotations

import time
from functools import partial

import sqlalchemy as sa

from lab.stack.postgres import Cluster
from responder.incident import CRITICAL, IncidentState, Turn
from responder.store import replicas, tables, work
from responder.store.engine import Connection
from responder.store.incidents import Opening, open_new
from responder.store.replicas import Presence
from responder.store.store import Store
from responder.store.work import Seeker, Task

DEAD_AFTER_SECONDS = 15.0


def _beat(store_id: str) -> Presence:
    return Presence(id=store_id, name=store_id, version="", dead_after_seconds=DEAD_AFTER_SECONDS)


def _pass(connection: Connection, seconds: float) -> None:
    """Let so much time pass, as the database sees it."""
    table = tables.replicas
    earlier = {
        "heartbeat_at": table.c.heartbeat_at - seconds,
        "steady_since": table.c.steady_since - seconds,
    }
    connection.execute(sa.update(table).values(earlier))


def _add(connection: Connection) -> None:
    at = time.time() - 1
    opening = Opening(
        id="one", at=at, state=IncidentState.WAITING, reason="", severity_rank=CRITICAL
    )
    open_new(connection, opening)
    work.add(connection, "one", Turn(priority=CRITICAL, due_at=at), at)


async def _claims(store: Store, owner: str) -> Task | None:
    return await store.write(
        lambda database: work.claim(database, time.time(), Seeker(owner=owner))
    )


async def _beats(store: Store, *names: str) -> None:
    for name in names:
        await store.write(partial(replicas.beat, presence=_beat(name)))


async def test_after_an_outage_of_the_database_nobody_takes_anothers_work(
    postgresql: Cluster,
) -> None:
    """All were silent for as long; who is back first waits for the others, and for the dead."""
    with Store(postgresql.url(f"work_{time.time_ns()}")) as store:
        await store.write(_add)
        await _beats(store, "one", "other")
        assert await _claims(store, "one") is not None
        await store.write(lambda database: _pass(database, 60))
        assert await _claims(store, "other") is None
        await _beats(store, "other")
        assert await _claims(store, "other") is None
        for _ in range(2):
            await store.write(lambda database: _pass(database, DEAD_AFTER_SECONDS / 2 + 1))
            await _beats(store, "other")
        taken = await _claims(store, "other")
        assert taken is not None
        assert taken.begun_by == "one"


async def test_a_replica_that_dies_alone_is_followed_at_once(postgresql: Cluster) -> None:
    """Who has been steady all the time may judge as soon as the other is silent for too long."""
    with Store(postgresql.url(f"work_{time.time_ns()}")) as store:
        await store.write(_add)
        await _beats(store, "one", "other")
        assert await _claims(store, "one") is not None
        for _ in range(2):
            await store.write(lambda database: _pass(database, DEAD_AFTER_SECONDS / 2 + 1))
            await _beats(store, "other")
        assert await _claims(store, "other") is not None


async def test_who_comes_after_an_outage_takes_nobodys_work(postgresql: Cluster) -> None:
    """One that was started again meanwhile finds all silent, and waits for them as well."""
    with Store(postgresql.url(f"work_{time.time_ns()}")) as store:
        await store.write(_add)
        await _beats(store, "one")
        assert await _claims(store, "one") is not None
        await store.write(lambda database: _pass(database, 60))
        await _beats(store, "new")
        assert await _claims(store, "new") is None


async def test_an_outage_a_little_shorter_than_death_costs_no_work_either(
    postgresql: Cluster,
) -> None:
    """Whose last heartbeat was earlier looks dead to one whose own was just in time."""
    with Store(postgresql.url(f"work_{time.time_ns()}")) as store:
        await store.write(_add)
        await _beats(store, "one", "other")
        assert await _claims(store, "one") is not None
        await store.write(lambda database: _pass(database, 60))
        await _beats(store, "one", "other")
        await store.write(lambda database: _pass(database, 2))
        await _beats(store, "other")
        await store.write(lambda database: _pass(database, DEAD_AFTER_SECONDS - 1.5))
        await _beats(store, "other")
        assert await _claims(store, "other") is None
