"""The rounds as a whole: real Prometheus, real Alertmanager, a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from responder.metrics import Metrics
from responder.patrol.concern import ALERTNAME
from responder.patrol.look import looks
from responder.patrol.patrol import Patrol
from responder.patrol.raising import AHEAD_SECONDS, OVER_SECONDS
from responder.patrol.settings import PatrolSettings
from responder.sources.alertmanager import AlertmanagerSource
from responder.sources.prometheus import PrometheusSource
from responder.store import patrol as stored
from responder.store.engine import url_of
from responder.store.store import Store
from tests.responder.patrol.conftest import Past
from toolkit.secrets import Secret

pytestmark = pytest.mark.asyncio(loop_scope="module")

RAISED = {"slow", "restarted", "young", "chat", "edge"}
PAGE = "http://vigie.example"


@dataclass(kw_only=True)
class Scene:
    """A patrol over the past, and what it may be told otherwise."""

    store: Store
    past: Past
    session: aiohttp.ClientSession
    metrics: Metrics = field(default_factory=lambda: Metrics(version="test"))
    settings: PatrolSettings = field(default_factory=PatrolSettings)
    alertmanagers: list[str] = field(default_factory=list)
    later_seconds: float = 0.0

    def patrol(self) -> Patrol:
        """Give a patrol of a process that has just begun."""
        return Patrol(
            self.store,
            self.session,
            self.metrics,
            settings=lambda: self.settings,
            sources=self.sources,
            page_url=lambda: PAGE,
            clock=lambda: self.past.now + self.later_seconds,
            replica_id="r0",
        )

    def sources(self) -> list[object]:
        """Give the sources that it asks."""
        secret = Secret(place="test", value="letmein")
        return [
            PrometheusSource(url=self.past.url, external_url="http://prometheus.example"),
            *(AlertmanagerSource(url=url, bearer=secret) for url in self.alertmanagers),
        ]

    def value(self, name: str, **labels: str) -> float | None:
        """Read a metric."""
        return self.metrics.registry.get_sample_value(f"vigie_responder_patrol_{name}", labels)


@pytest_asyncio.fixture(loop_scope="module")
async def scene(past: Past, tmp_path: Path) -> AsyncIterator[Scene]:
    """Set the scene on an empty store."""
    with Store(url_of(str(tmp_path / "vigie.db"), tmp_path)) as store:
        async with aiohttp.ClientSession() as session:
            yield Scene(store=store, past=past, session=session)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alertmanager(
    programs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """Run Alertmanager; yield its address."""
    folder = tmp_path_factory.mktemp("alertmanager")
    config = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    address = free_addresses(("http",))["http"]
    argv = (
        str(programs["alertmanager"]),
        "--config.file=alertmanager.yml",
        "--storage.path=data",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    launch = Launch(
        name="alertmanager",
        argv=argv,
        folder=folder,
        log=folder / "alertmanager.log",
        ready_url=f"http://{address}/-/ready",
    )
    server = Process(launch)
    await server.start()
    try:
        yield f"http://{address}"
    finally:
        await server.stop()


async def active(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    """List what Alertmanager holds for firing."""
    async with session.get(f"{url}/api/v2/alerts") as response:
        listed: list[dict[str, Any]] = await response.json()
        return listed


def about(alert: Mapping[str, Any]) -> str:
    """Say what an alert is about."""
    labels = alert["labels"]
    return str(labels.get("target") or labels.get("service") or labels.get("job"))


async def test_what_is_serious_and_lasts_fires_in_alertmanager_and_ends_there(
    scene: Scene, alertmanager: str
) -> None:
    """The second round raises it, at both addresses; when it is over it is resolved explicitly."""
    scene.alertmanagers = [alertmanager, "http://127.0.0.1:1"]
    patrol = scene.patrol()
    first = await patrol.round()
    await patrol.raise_standing()
    assert first is not None
    assert first.new
    assert await active(scene.session, alertmanager) == []

    second = await patrol.round()
    await patrol.raise_standing()
    assert second is not None
    assert second.new == ()
    raised = await active(scene.session, alertmanager)
    assert {about(each) for each in raised} == RAISED
    assert {each["labels"]["alertname"] for each in raised} == {ALERTNAME}
    assert {each["labels"]["severity"] for each in raised} == {"warning"}
    assert scene.value("posts_total", outcome="taken") == 1
    assert scene.value("posts_total", outcome="refused") == 1

    scene.settings = PatrolSettings(without=tuple(looks))
    scene.later_seconds = 1.0
    await patrol.round()
    over = await patrol.round()
    await patrol.raise_standing()
    assert over is not None
    assert len(over.over) == len(first.new)
    assert await active(scene.session, alertmanager) == []


async def test_what_is_posted_is_what_alertmanager_documents(scene: Scene) -> None:
    """Start, an end three minutes ahead, a link that asks the query, and our own credentials."""
    posts: list[Any] = []
    keys: list[str] = []

    async def take(request: web.Request) -> web.Response:
        keys.append(request.headers["Authorization"])
        posts.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/api/v2/alerts", take)
    async with TestServer(app) as server:
        scene.alertmanagers = [str(server.make_url(""))]
        patrol = scene.patrol()
        await patrol.round()
        await patrol.round()
        scene.later_seconds = 60.0
        await patrol.raise_standing()
    assert keys == ["Bearer letmein"]
    (posted,) = posts
    slow = next(each for each in posted if about(each) == "slow")
    assert slow["labels"] == {
        "alertname": ALERTNAME,
        "look": "latency",
        "measure": "time per run",
        "target": "slow",
        "severity": "warning",
        "raised_by": "vigie-responder",
    }
    assert slow["annotations"]["description"].startswith(
        "time per run of slow is 320 ms, and was 200 ms"
    )
    assert slow["annotations"]["runbook_url"] == f"{PAGE}/runbooks/{ALERTNAME}"
    assert slow["generatorURL"].startswith("http://prometheus.example/graph?g0.expr=sum+by")
    starts, ends = (_seconds(slow[name]) for name in ("startsAt", "endsAt"))
    assert starts == pytest.approx(scene.past.now, abs=0.01)
    assert ends == pytest.approx(scene.past.now + 60.0 + AHEAD_SECONDS, abs=0.01)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def test_a_process_after_a_kill_goes_on_with_what_was_raised(
    scene: Scene, alertmanager: str
) -> None:
    """What was raised stands in the store: it is told on, and not raised a second time."""
    scene.alertmanagers = [alertmanager]
    before = scene.patrol()
    await before.round()
    await before.round()
    after = scene.patrol()
    await after.raise_standing()
    assert {about(each) for each in await active(scene.session, alertmanager)} == RAISED
    again = await after.round()
    assert again is not None
    assert not again.says_something


async def test_only_rounds_with_news_are_kept(scene: Scene) -> None:
    """The third round finds what the first did, and leaves no report; the page shows what holds."""
    patrol = scene.patrol()
    for _ in range(3):
        await patrol.round()
    reports = await scene.store.read(lambda database: stored.rounds(database, 10))
    assert [bool(each.new) for each in reports] == [False, True]
    assert [len(each.raised) for each in reports] == [6, 0]
    standing = await scene.store.read(stored.standings)
    assert len(standing) == reports[0].standing
    assert scene.value("last_round_timestamp_seconds") == scene.past.now
    assert scene.value("concerns", look="latency", grade="serious") == 3
    assert scene.value("concerns", look="juniors", grade="note") == 0


async def test_what_is_over_is_told_so_for_a_while(scene: Scene) -> None:
    """After that it is forgotten, and the store is empty again."""
    patrol = scene.patrol()
    await patrol.round()
    await patrol.round()
    scene.settings = PatrolSettings(without=tuple(looks))
    await patrol.round()
    await patrol.round()
    left = await scene.store.read(stored.standings)
    assert {each.over_at is not None for each in left.values()} == {True}
    assert len(left) == 6
    scene.later_seconds = OVER_SECONDS + 1
    await patrol.round()
    assert await scene.store.read(stored.standings) == {}


async def test_without_prometheus_there_are_no_rounds(scene: Scene) -> None:
    """It is off then, says so, and stores nothing; as it is when it is switched off."""
    scene.settings = PatrolSettings(enabled=False)
    assert await scene.patrol().round() is None
    assert scene.value("last_round_timestamp_seconds") == 0


async def test_while_it_is_not_known_what_fires_nothing_is_raised(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it might be raised beside an alert that covers it."""
    monkeypatch.setattr("responder.patrol.round._FIRING", "sum(")
    patrol = scene.patrol()
    await patrol.round()
    report = await patrol.round()
    assert report is not None
    assert "alerts" in report.unseen
    assert report.raised == ()


@pytest.mark.parametrize(
    "settings", [PatrolSettings(enabled=False), PatrolSettings(raises=False)], ids=str
)
async def test_what_is_switched_off_ends_what_it_raised(
    scene: Scene, alertmanager: str, settings: PatrolSettings
) -> None:
    """Nothing would else ever end it: no round is made, and it would be told on for ever."""
    scene.alertmanagers = [alertmanager]
    patrol = scene.patrol()
    await patrol.round()
    await patrol.round()
    await patrol.raise_standing()
    assert {about(each) for each in await active(scene.session, alertmanager)} == RAISED
    scene.settings = settings
    scene.later_seconds = 1.0
    await patrol.raise_standing()
    assert await active(scene.session, alertmanager) == []
    scene.later_seconds = OVER_SECONDS + 2
    await patrol.raise_standing()
    assert scene.value("posts_total", outcome="taken") == 2


async def test_a_round_that_sees_nothing_does_not_count_as_one(scene: Scene) -> None:
    """It is counted apart, so that the stalled alert sees it, and ends nothing."""
    await scene.patrol().round()
    before = await scene.store.read(stored.standings)
    scene.past = Past(url="http://127.0.0.1:1", now=scene.past.now + 600)
    for _ in range(3):
        await scene.patrol().round()
    assert await scene.store.read(stored.standings) == before
    assert scene.value("rounds_total", outcome="made") == 1
    assert scene.value("rounds_total", outcome="blind") == 3
    assert scene.value("last_round_timestamp_seconds") == scene.past.now - 600
