"""Killed, frozen, out of disk, database or time: what was acknowledged comes to its end."""

from __future__ import annotations

import pytest

from lab.chaos import runs
from lab.chaos.ground import Ground, Outcome
from lab.chaos.moments import STAGES
from lab.chaos.runs import Size

pytestmark = pytest.mark.chaos

SHORT = Size(kills=6, after_ack=3, hung_alerts=200, outage_seconds=3.0)


def quiet(_line: str) -> None:
    """Say nothing on the way."""


def assert_right(outcome: Outcome) -> None:
    """Fail with every fault of a run."""
    assert outcome.right, [*outcome.verdict.faults, *outcome.wrong]
    assert outcome.verdict.ends.total() > 0, "nothing was acknowledged, so nothing was tested"


def assert_killed(outcome: Outcome) -> None:
    """Fail when it was not killed at as many stages as wanted."""
    assert outcome.killer is not None
    assert outcome.killer.hits.total() >= SHORT.kills
    assert set(outcome.killer.hits) & set(STAGES)


async def test_kills_on_sqlite_lose_nothing(ground: Ground) -> None:
    """One responder killed at stage after stage reports each acknowledged alert once."""
    outcome = await runs.kills_sqlite(ground, SHORT, quiet)
    assert_right(outcome)
    assert_killed(outcome)


async def test_kills_on_postgresql_lose_nothing(shared_ground: Ground) -> None:
    """Of three replicas killed at stage after stage, the others go on with what was begun."""
    outcome = await runs.kills_postgresql(shared_ground, SHORT, quiet)
    assert_right(outcome)
    assert_killed(outcome)


async def test_a_kill_right_after_the_acknowledgement_loses_nothing(ground: Ground) -> None:
    """What was answered 200 in the last moment before SIGKILL has its report after the restart."""
    outcome = await runs.after_ack(ground, SHORT, quiet)
    assert_right(outcome)
    assert outcome.verdict.ends["report"] == SHORT.after_ack


async def test_a_hung_model_holds_up_no_acknowledgement(ground: Ground) -> None:
    """200 alerts are taken while the model hangs, none refused, and a kill loses none of them."""
    outcome = await runs.model_hangs(ground, SHORT, quiet)
    assert_right(outcome)
    assert "503" not in outcome.figures["answers"]


async def test_a_frozen_replica_does_no_harm(shared_ground: Ground) -> None:
    """A replica stopped past its lease and continued neither repeats nor undoes others' work."""
    assert_right(await runs.frozen_at(shared_ground, "analyse"))


async def test_a_full_disk_loses_nothing(ground: Ground) -> None:
    """With the disk full it answers 503, and takes alerts again as soon as there is room."""
    outcome = await runs.disk_full(ground, SHORT, quiet)
    assert_right(outcome)
    assert int(outcome.figures["answered 503"]) > 0


async def test_a_database_that_goes_loses_nothing(shared_ground: Ground) -> None:
    """With PostgreSQL stopped it answers 503, and takes alerts again when it is back."""
    outcome = await runs.database_gone(shared_ground, SHORT, quiet)
    assert_right(outcome)
    assert int(outcome.figures["answered 503"]) > 0


async def test_a_clock_put_back_holds_nothing_up(ground: Ground) -> None:
    """Ten minutes back, what waited for its time does not wait for these ten minutes again."""
    outcome = await runs.clock_back(ground, SHORT, quiet)
    assert_right(outcome)
    assert outcome.verdict.figures["incidents with a report"] == 5
