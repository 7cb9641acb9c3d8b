"""Several responders on one database, and what becomes of the work of one that dies."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.stack.postgres import Cluster
from tests.responder.children import Family, died, family
from tests.responder.conftest import eventually
from tests.responder.fakes import alert, post

QUICK = "{incidents: {quiet: 0s}, concurrency: 4, replica: {heartbeat: 300ms, dead_after: 2s}}"
STAGES = ["gather", "rank", "disprove", "analyse", "conclude"]


@pytest.fixture
async def relatives(database_url: str, tmp_path: Path) -> AsyncIterator[Family]:
    """Give what starts responders on an empty database of each kind."""
    async with family(database_url, tmp_path) as members:
        yield members


@pytest.fixture
async def replicas(postgresql: Cluster, tmp_path: Path) -> AsyncIterator[Family]:
    """Give what starts responders on one PostgreSQL database."""
    async with family(postgresql.url(f"replicas_{time.time_ns()}"), tmp_path) as members:
        yield members


def storm(count: int) -> list[dict[str, Any]]:
    """Make posts of so many alerts on targets of their own."""
    now = time.time()
    return [post(alert(starts_at=now, target=f"target-{number}")) for number in range(count)]


@pytest.mark.parametrize("stage", STAGES)
async def test_killed_in_any_stage_the_stages_before_are_not_run_again(
    relatives: Family, stage: str
) -> None:
    """A process killed as a stage begins is followed by one that runs that stage, and no earlier.

    So no model call is paid twice whose answer was there.
    """
    first = await relatives.start("first", settings=QUICK, die_in=stage)
    assert await relatives.post(first, storm(1)[0]) == 200
    assert await died(first) == -signal.SIGKILL
    second = await relatives.start("second", settings=QUICK)
    (incident,) = await relatives.reported(second, 1)
    calls = {each: relatives.count(each)[incident["id"]] for each in STAGES}
    assert calls == {each: 2 if each == stage else 1 for each in STAGES}
    history = await relatives.events(second, incident["id"])
    assert history == ["opened", "investigating", "taken over", "reported"]


async def test_replicas_that_start_at_once_on_nothing_all_come_up(replicas: Family) -> None:
    """Both schemas, ours and the workflow engine's, are made once, and each one works."""
    names = ("one", "two", "three")
    async with asyncio.TaskGroup() as group:
        starts = [group.create_task(replicas.start(each, settings=QUICK)) for each in names]
    children = [each.result() for each in starts]
    for child, body in zip(children, storm(3), strict=True):
        assert await replicas.post(child, body) == 200
    await replicas.reported(children[0], 3)
    assert set(replicas.count("conclude").values()) == {1}


async def test_replicas_share_the_work(replicas: Family) -> None:
    """What one of three replicas takes in is investigated by all, each incident once."""
    seconds = {"gather": 0.5}
    names = ("one", "two", "three")
    one, *_ = [await replicas.start(each, settings=QUICK, seconds=seconds) for each in names]
    for body in storm(18):
        assert await replicas.post(one, body) == 200
    await replicas.reported(one, 18)
    assert set(replicas.count("gather").values()) == {1}
    assert set(replicas.count("conclude").values()) == {1}
    assert {note["name"] for note in replicas.notes if note["event"] == "gather"} == set(names)


async def test_a_critical_is_soon_investigated_wherever_it_was_taken_in(replicas: Family) -> None:
    """While the replica that took it in is busy, another one begins within two seconds."""
    busy = await replicas.start("busy", settings=QUICK, seconds={"gather": 60})
    for body in storm(5):
        assert await replicas.post(busy, body) == 200
    await replicas.start("idle", settings=QUICK)
    at = time.monotonic()
    assert await replicas.post(busy, post(alert(starts_at=time.time(), target="new"))) == 200

    async def begun() -> bool:
        return any(note["event"] == "conclude" for note in replicas.notes)

    await eventually(begun)
    assert time.monotonic() - at < 2


async def test_the_work_of_a_killed_replica_is_taken_over(replicas: Family) -> None:
    """A survivor finishes what a killed replica had begun, not long after it counts as dead."""
    one = await replicas.start("one", settings=QUICK, seconds={"analyse": 60})
    for body in storm(3):
        assert await replicas.post(one, body) == 200

    async def all_begun() -> bool:
        return len(replicas.count("analyse")) == 3

    await eventually(all_begun)
    two = await replicas.start("two", settings=QUICK)
    one.kill()
    at = time.monotonic()
    incidents = await replicas.reported(two, 3)
    assert time.monotonic() - at < 2 + 6
    for each in incidents:
        events = await replicas.events(two, each["id"])
        assert events[:4] == ["opened", "investigating", "taken over", "reported"]
    assert set(replicas.count("gather").values()) == {1}
    assert set(replicas.count("analyse").values()) == {2}


async def test_a_replica_stopped_past_its_lease_does_no_harm(replicas: Family) -> None:
    """Continued after its work was taken over, it stores nothing of it, and goes on with other."""
    one = await replicas.start("one", settings=QUICK, seconds={"analyse": 3})
    assert await replicas.post(one, storm(1)[0]) == 200

    async def begun() -> bool:
        return bool(replicas.count("analyse"))

    await eventually(begun)
    one.signal(signal.SIGSTOP)
    three = await replicas.start("three", settings=QUICK)
    (incident,) = await replicas.reported(three, 1)
    before = await replicas.read(three, f"/api/v1/incidents/{incident['id']}")
    assert "taken over" in [each["event"] for each in before["history"]]
    one.signal(signal.SIGCONT)
    assert await replicas.post(one, post(alert(starts_at=time.time(), target="other"))) == 200
    await replicas.reported(one, 2)
    after = await replicas.read(one, f"/api/v1/incidents/{incident['id']}")
    assert after["report"] == before["report"]
    assert [each["event"] for each in after["history"]].count("reported") == 1
    concluded = [note["name"] for note in replicas.notes if note["event"] == "conclude"]
    assert concluded.count("three") >= 1
    assert replicas.count("conclude")[incident["id"]] == 1


async def test_a_replica_that_is_stopped_hands_over_at_once(relatives: Family) -> None:
    """After an orderly stop another process goes on without waiting for its death."""
    slow = "{incidents: {quiet: 0s}, replica: {heartbeat: 30s, dead_after: 600s}}"
    one = await relatives.start("one", settings=slow, seconds={"analyse": 60})
    assert await relatives.post(one, storm(1)[0]) == 200

    async def begun() -> bool:
        return bool(relatives.count("analyse"))

    await eventually(begun)
    one.signal(signal.SIGTERM)
    assert await died(one) == 0
    two = await relatives.start("two", settings=slow)
    at = time.monotonic()
    (incident,) = await relatives.reported(two, 1)
    assert time.monotonic() - at < 4
    assert relatives.count("gather")[incident["id"]] == 1
