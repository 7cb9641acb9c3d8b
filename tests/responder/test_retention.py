"""What is old is deleted with all that belongs to it, and nothing else ever is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responder.replica import replica_id
from responder.retention import Ages, Retention
from responder.store import replicas, tables
from responder.store.engine import Connection
from responder.store.replicas import Presence
from responder.store.store import Store

NOW = 1_000_000.0
AGES = Ages(incidents_seconds=1000, bodies_seconds=100, interval_seconds=1)

Spec = dict[str, object]
SPECS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["waiting", "investigating", "reported", "closed"]),
        "resolved": st.sampled_from([None, NOW - 10, NOW - 5000]),
        "firing": st.booleans(),
        "work": st.sampled_from(["waiting", "running", "done", "dropped"]),
        "message": st.sampled_from([None, "pending", "delivered", "expired"]),
        "unread": st.booleans(),
        "refers": st.booleans(),
    }
)


@dataclass(kw_only=True, slots=True)
class Room:
    """An open store, and what was forgotten of runs."""

    store: Store
    forgotten: list[str] = field(default_factory=list)

    def retention(self, replica: str, ages: Ages = AGES) -> Retention:
        """Give what deletes."""

        async def forget(run_ids: Sequence[str]) -> None:
            self.forgotten.extend(run_ids)

        return Retention(
            self.store,
            lambda: ages,
            clock=lambda: NOW,
            replica_id=replica,
            forget=forget,
            pause_seconds=0,
        )


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """Open an empty store of each kind."""
    with Store(database_url) as store:
        yield Room(store=store)


def arrive(connection: Connection, replica: str) -> None:
    """Have a replica that is alive."""
    replicas.beat(
        connection, Presence(id=replica, name="test", version="test", dead_after_seconds=60)
    )


def add(connection: Connection, number: int, spec: Spec) -> None:
    """Store an incident as *spec* describes it."""
    name, at = f"i{number}", NOW - 6000
    refers = f"i{number - 1}" if spec["refers"] and number else None
    rows: list[tuple[sa.Table, Spec]] = [
        (
            tables.incidents,
            {
                "id": name,
                "opened_at": at,
                "joined_at": at,
                "state": spec["state"],
                "reason": "",
                "severity_rank": 1,
                "resolved_at": spec["resolved"],
                "occurrence_of": refers,
            },
        ),
        (
            tables.deliveries,
            {
                "id": name,
                "kind": "alertmanager",
                "received_at": at,
                "body": b"{}",
                "problem": "unreadable" if spec["unread"] else None,
            },
        ),
        (
            tables.episodes,
            {
                "id": name,
                "incident_id": name,
                "fingerprint": name,
                "alertname": "A",
                "first_seen_at": at,
                "last_seen_at": at,
                "starts_at": at,
                "resolved_at": None if spec["firing"] else at,
                "alert": {},
            },
        ),
        (
            tables.episode_facts,
            {"episode_id": name, "delivery_id": name, "at": at, "fact": "firing", "starts_at": at},
        ),
        (
            tables.work,
            {
                "id": f"{name}-1",
                "incident_id": name,
                "priority": 1,
                "due_at": at,
                "state": spec["work"],
                "attempts": 2,
                "created_at": at,
            },
        ),
        (tables.frames, {"investigation_id": f"{name}-1", "packed": b"x"}),
        (tables.stages, {"incident_id": name, "stage": "rank", "finished_at": at, "seconds": 1}),
        (tables.incident_keys, {"key": "k", "incident_id": name}),
        (tables.incident_log, {"incident_id": name, "at": at, "event": "opened", "text": ""}),
    ]
    if spec["message"]:
        rows += [
            (
                tables.reports,
                {
                    "id": name,
                    "incident_id": name,
                    "created_at": at,
                    "report": {},
                    "evidence": [],
                    "suspects": [],
                    "disproofs": [],
                },
            ),
            (
                tables.outbox,
                {
                    "idempotency_key": name,
                    "channel": "c",
                    "event": "reported",
                    "incident_id": name,
                    "report_id": name,
                    "status": spec["message"],
                    "created_at": at,
                    "due_at": at,
                },
            ),
        ]
    for table, row in rows:
        connection.execute(sa.insert(table), row)


def kept(connection: Connection) -> set[str]:
    """Give the ids of the incidents that are there."""
    return set(connection.execute(sa.select(tables.incidents.c.id)).scalars())


def may_go(specs: Sequence[Spec], number: int) -> bool:
    """Tell whether an incident is over, told and old, and nothing kept refers to it."""
    spec = specs[number]
    is_over = spec["state"] in {"reported", "closed"} and spec["resolved"] == NOW - 5000
    is_tied = (
        spec["firing"]
        or spec["work"] in {"waiting", "running"}
        or spec["message"] == "pending"
        or spec["unread"]
    )
    is_named = number + 1 < len(specs) and specs[number + 1]["refers"]
    return bool(is_over and not is_tied and (not is_named or may_go(specs, number + 1)))


def wipe(connection: Connection) -> None:
    """Empty every table."""
    for table in reversed(tables.metadata.sorted_tables):
        connection.execute(sa.delete(table))


def test_exactly_what_is_over_and_old_goes(room: Room) -> None:
    """Whatever there is, an open incident stays, as does one with anything left to do."""
    replica = replica_id()

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.lists(SPECS, max_size=6))
    def check(specs: list[Spec]) -> None:
        async def once() -> None:
            await room.store.write(wipe)
            await room.store.write(lambda database: arrive(database, replica))
            for number, spec in enumerate(specs):
                await room.store.write(
                    lambda database, number=number, spec=spec: add(database, number, spec)  # type: ignore[misc]
                )
            room.forgotten.clear()
            await room.retention(replica).once()
            gone = {f"i{number}" for number in range(len(specs)) if may_go(specs, number)}
            there = {f"i{number}" for number in range(len(specs))} - gone
            assert await room.store.read(kept) == there
            runs = {run for name in gone for run in (f"{name}-1", f"{name}-1.2")}
            assert set(room.forgotten) == runs

        asyncio.run(once())

    check()


OLD: Spec = {
    "state": "reported",
    "resolved": NOW - 5000,
    "firing": False,
    "work": "done",
    "message": "delivered",
    "unread": False,
    "refers": False,
}


async def test_nothing_of_a_deleted_incident_is_left(room: Room) -> None:
    """More of them than a batch holds leave every table empty, but that of replicas."""
    replica = replica_id()
    await room.store.write(lambda database: arrive(database, replica))

    def fill(connection: Connection) -> None:
        for number in range(120):
            add(connection, number, OLD)

    await room.store.write(fill)
    assert await room.retention(replica).once() == 120

    def counts(connection: Connection) -> dict[str, int]:
        count = sa.func.count()
        return {
            table.name: connection.execute(sa.select(count).select_from(table)).scalar_one()
            for table in tables.metadata.sorted_tables
        }

    left = {name: count for name, count in (await room.store.read(counts)).items() if count}
    assert left == {"replicas": 1}


async def test_a_body_is_emptied_before_its_incident_goes(room: Room) -> None:
    """A post that was read is emptied early; one that was not is kept as it came."""
    replica = replica_id()
    await room.store.write(lambda database: arrive(database, replica))
    young = {**OLD, "resolved": NOW - 10}

    def fill(connection: Connection) -> None:
        add(connection, 0, young)
        add(connection, 1, {**young, "unread": True})

    await room.store.write(fill)
    assert await room.retention(replica).once() == 0

    def read(connection: Connection) -> dict[str, bytes]:
        query = sa.select(tables.deliveries.c.id, tables.deliveries.c.body)
        return {row.id: row.body for row in connection.execute(query)}

    bodies = await room.store.read(read)
    assert bodies == {"i0": b"", "i1": b"{}"}


async def test_only_who_holds_the_lease_deletes(room: Room) -> None:
    """On PostgreSQL a replica leaves it to the one that is at it, until that one is dead."""
    one, two = replica_id(), replica_id()
    if room.store.workflows_url.startswith("sqlite"):
        pytest.skip("there is no other replica on SQLite")
    for each in (one, two):
        await room.store.write(lambda database, each=each: arrive(database, each))  # type: ignore[misc]
    await room.store.write(lambda database: add(database, 0, OLD))
    assert await room.store.write(lambda database: replicas.hold(database, "retention", one))
    assert await room.retention(two).once() == 0
    await room.store.write(lambda database: replicas.leave(database, one))
    assert await room.retention(two).once() == 1
