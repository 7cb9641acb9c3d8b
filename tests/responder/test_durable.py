"""What the engine stores, and what it makes of what an earlier version has stored."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path

import pytest

from responder.durable import JsonSerializer, StepFailedError
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
