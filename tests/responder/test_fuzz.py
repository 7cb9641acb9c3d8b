"""Real posts of both Alertmanagers, bent at random: read or kept, never refused, none lost."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from lab.stack.cache import Cache
from lab.stack.catalogue import RECIPES
from lab.stack.progress import Progress
from lab.stack.provide import provide
from responder.alert import Alert, AlertStatus
from responder.webhook_v4 import UnreadableError, read_delivery
from tests.responder.conftest import Place, Start
from tests.responder.mutation import mutated
from tests.responder.real_bodies import recorded

NOW = 1_790_000_000.0
SENDERS = 16
COUNTS = {"short": (20_000, 500), "long": (1_000_000, 20_000)}
SETTINGS = "{incidents: {quiet: 1h}, limits: {pending_investigations: 1000000}}"


@pytest.fixture(scope="module", params=["debian", "go"])
def bodies(
    request: pytest.FixtureRequest, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Sequence[bytes]:
    """Give what the Alertmanager of Debian, and a current one, really post."""
    folder = tmp_path_factory.mktemp(f"alertmanager-{request.param}")
    return asyncio.run(recorded(_program(request.param, cache), folder))


def _program(source: str, cache: Path) -> Path:
    """Give Debian's Alertmanager; the current one only where it has been built already."""
    if source == "debian":
        progress = Progress(sys.stderr)
        found = provide(
            ("alertmanager",), flavour="debian", root=cache, environ=os.environ, progress=progress
        )
        return found["alertmanager"].path
    for recipe in RECIPES:
        if recipe.source == source and "alertmanager" in recipe.programs:
            built = Cache(cache).find("alertmanager", recipe.key)
            if built is not None:
                return built.path
    pytest.skip("no current Alertmanager on this machine (python -m lab.stack builds one)")


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Give how many bodies to read, and how many to post; `--fuzz long` has the long run."""
    return COUNTS[request.config.getoption("--fuzz")]


def test_real_posts_are_read_whole(bodies: Sequence[bytes]) -> None:
    """Firing, cut and resolved ones: every alert with its labels, times and fingerprint."""
    readings = [read_delivery(body, NOW * 2) for body in bodies]
    assert all(reading.problems == () for reading in readings)
    assert {each.delivery.receiver for each in readings} == {"vigie", "cut"}
    assert max(each.delivery.truncated for each in readings) == 2
    assert all(each.delivery.group_key and each.delivery.external_url for each in readings)
    alerts = [alert for each in readings for alert in each.delivery.alerts]
    assert {alert.name for alert in alerts} == {"VigieTargetDegraded", "VigieCanary", "Élan"}
    assert {alert.status for alert in alerts} == set(AlertStatus)
    for alert in alerts:
        assert len(alert.fingerprint) == 16
        assert alert.annotations["summary"] == "slow “answers”"
        assert (alert.ends_at is None) == (alert.status is AlertStatus.FIRING)


def test_bent_posts_are_read_or_unreadable(
    bodies: Sequence[bytes], counts: tuple[int, int]
) -> None:
    """No bent body makes the parser fail otherwise, and what it gives can be stored."""
    chance = random.Random(11)
    read = 0
    for _ in range(counts[0] // 2):
        bent = mutated(chance.choice(bodies), chance)
        try:
            reading = read_delivery(bent, NOW)
        except UnreadableError:
            continue
        read += 1
        for alert in reading.delivery.alerts:
            orjson.dumps(alert.model_dump(mode="json"))
            assert not any("\x00" in text for text in _texts(alert))
            assert 0 < alert.starts_at <= NOW + 3600
            assert alert.ends_at is None or 0 < alert.ends_at <= NOW
            assert alert.fingerprint
    assert read > counts[0] // 8  # most mutants are still posts, or nothing much was tried


def _texts(alert: Alert) -> Iterator[str]:
    yield alert.fingerprint
    yield alert.generator_url
    for labels in (alert.labels, alert.annotations):
        for name, value in labels.items():
            yield from (name, value)


async def test_bent_posts_are_answered_200_and_found_in_the_store(
    start: Start, tmp_path: Path, bodies: Sequence[bytes], counts: tuple[int, int]
) -> None:
    """Over HTTP to a real responder: each is answered 200, and is there byte for byte."""
    place = await start(SETTINGS)
    chance = random.Random(13)
    posts = [mutated(chance.choice(bodies), chance) for _ in range(counts[1] // 2)]
    waiting = iter(posts)
    statuses: list[int] = []
    await asyncio.gather(*(_send(place, waiting, statuses) for _ in range(SENDERS)))
    assert set(statuses) == {200}
    with sqlite3.connect(tmp_path / "state" / "vigie.db") as database:
        kept = [body for (body,) in database.execute("SELECT body FROM deliveries")]
        query = "SELECT count(*) FROM deliveries WHERE problem IS NOT NULL"
        quarantined = database.execute(query).fetchone()[0]
    assert sorted(kept) == sorted(posts)
    metrics = await place.text("/metrics")
    assert f"vigie_responder_deliveries_received_total {float(len(posts))}" in metrics
    assert f"vigie_responder_quarantined_total {float(quarantined)}" in metrics
    assert 0 < quarantined < len(posts)


async def _send(place: Place, posts: Iterator[bytes], statuses: list[int]) -> None:
    statuses += [await place.send(body) for body in posts]
