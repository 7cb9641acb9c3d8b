"""What the engine stores, and what it makes of what an earlier version has stored."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS

from responder.durable import Engine, JsonSerializer, StepFailedError
from tests.responder.conftest import eventually, place_in
from tests.responder.fakes import ScriptedInvestigation, alert, post

SETTINGS = "incidents: {quiet: 0s}"


@pytest.mark.parametrize("value", [None, 1.5, "text", [1, {"a": None}], {"__x__": "y"}])
def test_plain_data_is_read_as_it_was_written(value: object) -> None:
    """Whatever JSON can hold comes back the same."""
    serializer = JsonSerializer()
    assert serializer.deserialize(serializer.serialize(value)) == value


def test_a_failure_is_read_as_its_words() -> None:
    """An exception comes back as what it said, and as no class that a database could choose."""
    serializer = JsonSerializer()
    read = serializer.deserialize(serializer.serialize(ValueError("bad")))
    assert isinstance(read, StepFailedError)
    assert str(read) == "ValueError: bad"


def test_a_failure_is_stored_without_secrets() -> None:
    """What a client says of its failure may hold the key it was called with."""
    key = "sk-" + "a1B2c3D4" * 5
    assert key not in JsonSerializer().serialize(ValueError(f"401 for {key}"))


async def test_an_investigation_under_way_outlives_an_upgrade(tmp_path: Path) -> None:
    """Stages that the first version has stored are read by this one, and not run again."""
    investigation = ScriptedInvestigation()
    investigation.hold["analyse"] = asyncio.Event()
    async with place_in(tmp_path, SETTINGS, investigation=investigation) as before:
        await before.send(post(alert(starts_at=time.time())))

        async def begun() -> bool:
            return investigation.calls["analyse"] == 1

        await eventually(begun)
    _as_first_version(tmp_path / "state")
    follower = ScriptedInvestigation()
    async with place_in(tmp_path, SETTINGS, investigation=follower) as after:
        (incident,) = await after.reported()
    assert incident["headline"] == "chat hangs"
    assert (follower.calls["gather"], follower.calls["disprove"]) == (0, 0)
    assert (follower.calls["analyse"], follower.calls["conclude"]) == (1, 1)


async def test_a_queue_that_could_not_be_had_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are taken over after the database was away as the first of them was."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def investigate(_investigation: str, _incident: str) -> str:
        begun.set()
        await may_end.wait()
        return "done"

    register, failures = DBOS.register_queue_async, iter([ConnectionError("away")])

    async def flaky(*names: Any, **options: Any) -> Any:
        for failure in failures:
            raise failure
        return await register(*names, **options)

    url, run = f"sqlite:///{tmp_path / 'runs.db'}", ("run", "investigation", "incident")
    async with Engine(url, investigate, replica_id="one") as engine:
        running = asyncio.create_task(engine.run(*run))
        await begun.wait()
        running.cancel()
    may_end.set()
    async with Engine(url, investigate, replica_id="other") as engine:
        monkeypatch.setattr(DBOS, "register_queue_async", flaky)
        with pytest.raises(ConnectionError):
            await engine.take_over(*run)
        async with asyncio.timeout(30):
            assert await engine.take_over(*run) == "done"


async def test_a_take_over_ends_well_when_its_queue_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done is done, even if the database goes before the queue is taken down."""

    async def investigate(_investigation: str, _incident: str) -> str:
        return "done"

    async def gone(_name: str) -> None:
        raise ConnectionError("away")

    monkeypatch.setattr(DBOS, "delete_queue_async", gone)
    async with Engine(f"sqlite:///{tmp_path / 'runs.db'}", investigate, replica_id="one") as engine:
        assert await engine.take_over("run", "investigation", "incident") == "done"


def _as_first_version(folder: Path) -> None:
    """Put both databases as the first version would have left them."""
    with sqlite3.connect(folder / "vigie.workflows.db") as workflows:
        workflows.execute("UPDATE workflow_status SET executor_id = 'responder'")
        query = "SELECT rowid, function_name, output FROM operation_outputs"
        rows = workflows.execute(query).fetchall()
        assert [name for _, name, _ in rows] == ["begin", "gather", "rank", "disprove"]
        for row, name, output in rows:
            stored = json.loads(output)
            if name != "begin":
                del stored["incident"]
            change = "UPDATE operation_outputs SET output = ? WHERE rowid = ?"
            workflows.execute(change, (json.dumps(stored), row))
    workflows.close()
    with sqlite3.connect(folder / "vigie.db") as ours:
        ours.execute("UPDATE work SET owner = ''")
        ours.execute("DELETE FROM replicas")
    ours.close()
