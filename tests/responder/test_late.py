"""Gaps that the store does not take, and comparisons that fail, hold up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from responder import judgement
from responder.config import ComparisonSettings
from responder.store import comparison as stored
from responder.store import views
from responder.store.engine import StoreRefusedError
from responder.store.tables import episode_facts, episodes
from tests.responder.conftest import eventually
from tests.responder.test_comparison_looks import (
    ALERTS,
    FAILURES,
    GAPS,
    NORTH,
    alone,
    known,
    staged,
)
from tests.responder.witnesses import GENERATOR, Scene, labels_of, moment

POISONED = "Poisoned"


@pytest.fixture
async def scene(
    database_url: str, aiohttp_server: Callable[[web.Application], Awaitable[TestServer]]
) -> AsyncIterator[Scene]:
    """Set a scene on each kind of database, with one Alertmanager."""
    async with staged(database_url, aiohttp_server) as made:
        alone(made)
        await known(made)
        yield made


@pytest.fixture(params=[StoreRefusedError("database: bad value"), KeyError("a fault of ours")])
def poison(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store refuse, or our code fail on, what has that name."""
    tell = stored.tell

    def refuse(connection: sa.Connection, delivery_id: str, at: float, reason: str) -> int:
        query = (
            sa.select(episodes.c.alertname)
            .join(episode_facts, episode_facts.c.episode_id == episodes.c.id)
            .where(episode_facts.c.delivery_id == delivery_id)
        )
        if POISONED in connection.execute(query).scalars().all():
            raise request.param
        return tell(connection, delivery_id, at, reason)

    monkeypatch.setattr(stored, "tell", refuse)


async def cut(scene: Scene, receiver: str = "ours") -> None:
    """Let Alertmanager post a group of which it cut all alerts."""
    body = {"version": "4", "receiver": receiver, "groupKey": "{}", "truncatedAlerts": 2}
    entry = {
        "status": "firing",
        "labels": labels_of("Whole") | NORTH,
        "startsAt": moment(scene.now),
        "generatorURL": GENERATOR,
    }
    await scene.intake().alerts(orjson.dumps(body | {"alerts": [entry], "groupLabels": NORTH}))


@pytest.mark.usefixtures("poison")
async def test_a_gap_that_cannot_be_stored_holds_up_no_other(scene: Scene) -> None:
    """It is logged, counted and kept raw in quarantine once; all others are stored."""
    alertmanager, comparison = scene.alertmanagers[0], scene.comparison()
    names = ["First", "Second", POISONED, "Third", "Fourth"]
    for name in names:
        alertmanager.lists(labels_of(name) | NORTH, scene.now)
    with capture_logs() as logs:
        await scene.looks(comparison, 600)
    found = {name: len(await scene.episodes(name)) for name in names}
    assert found == {name: int(name != POISONED) for name in names}
    assert scene.count(GAPS.format("missed")) == 4
    assert scene.count(FAILURES) == 1
    assert len([each for each in logs if each["event"] == "gap not stored"]) == 1
    (kept,) = await scene.store.read(lambda database: views.unread(database, 10))
    assert kept.kind == "comparison"
    assert POISONED.encode() in kept.head
    assert scene.count("vigie_responder_comparison_last_success_timestamp_seconds") == scene.now


@pytest.mark.usefixtures("poison")
async def test_a_gap_in_what_was_cut_holds_up_no_other(scene: Scene) -> None:
    """The rest of the group is fetched, and the group is not fetched for ever."""
    alertmanager, comparison = scene.alertmanagers[0], scene.comparison()
    for name in ("First", POISONED, "Second"):
        alertmanager.lists(labels_of(name) | NORTH, scene.now)
    await cut(scene)
    await comparison.fetch_cut()
    assert [len(await scene.episodes(name)) for name in ("First", POISONED, "Second")] == [1, 0, 1]
    asked = alertmanager.asked
    await comparison.fetch_cut()
    assert alertmanager.asked == asked


async def test_what_could_be_stored_in_the_end_is(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gap that failed is tried again at each look."""

    def fail(*_arguments: object) -> int:
        raise StoreRefusedError("database: bad value")

    comparison = scene.comparison()
    scene.alertmanagers[0].lists(labels_of("Missed") | NORTH, scene.now)
    with monkeypatch.context() as patched:
        patched.setattr(stored, "tell", fail)
        await scene.looks(comparison, 300)
    assert await scene.episodes("Missed") == []
    await scene.looks(comparison, 60)
    assert len(await scene.episodes("Missed")) == 1


async def test_a_cut_post_that_cannot_be_judged_holds_up_no_other(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged and left to the whole comparison; the next is fetched."""
    scene.alertmanagers[0].lists(labels_of("First") | NORTH, scene.now)
    await cut(scene, "theirs")
    scene.now += 1
    await cut(scene)
    unknown = judgement.unknown
    calls = []

    def fail_first(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyError("a fault of ours")
        return unknown(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(judgement, "unknown", fail_first)
    await scene.comparison().fetch_cut()
    assert len(await scene.episodes("First")) == 1
    assert scene.count(FAILURES) == 1


@pytest.mark.parametrize("trouble", ["silent", "fault"])
async def test_while_looks_fail_what_was_cut_is_fetched(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Whether nobody answers or our own code fails: the task lives, and cut alerts come."""
    scene.settings = ComparisonSettings(interval="1h")
    comparison = scene.comparison()

    def fail(*_arguments: object) -> object:
        raise KeyError("a fault of ours")

    if trouble == "silent":
        scene.alertmanagers[0].broken = {ALERTS: 503}
    else:
        monkeypatch.setattr(judgement, "untimed", fail)
    running = asyncio.create_task(comparison.run())

    async def has_failed() -> bool:
        return scene.count(FAILURES) >= 1

    async def is_fetched() -> bool:
        return bool(await scene.episodes("First"))

    try:
        await eventually(has_failed)
        monkeypatch.setattr(judgement, "untimed", fail)
        scene.alertmanagers[0].broken = {}
        scene.alertmanagers[0].lists(labels_of("First") | NORTH, scene.now)
        await cut(scene)
        await eventually(is_fetched, 10)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
