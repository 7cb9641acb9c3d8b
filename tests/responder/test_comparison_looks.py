"""What the comparison does look after look, with witnesses over real HTTP and time injected."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from responder.config import ComparisonSettings
from responder.intake import OverloadedError
from responder.store import comparison as stored
from responder.store.engine import StoreUnavailableError
from responder.store.store import Store
from responder.witness import SilentError
from tests.responder.witnesses import T0, Alertmanager, Prometheus, Scene, labels_of

Serve = Callable[[web.Application], Awaitable[TestServer]]
ALERTS, STATUS = "/api/v2/alerts", "/api/v2/status"
GAPS = 'vigie_responder_comparison_gaps_total{{kind="{}"}}'
DOUBTS = "vigie_responder_comparison_doubts_total"
FAILURES = "vigie_responder_comparison_failures_total"
NORTH = {"region": "north"}
HOUR = 3600.0


@asynccontextmanager
async def staged(url: str, serve: Serve) -> AsyncIterator[Scene]:
    """Set two Alertmanagers and one Prometheus."""
    alertmanagers, prometheis = [Alertmanager(), Alertmanager()], [Prometheus()]
    doubles: list[Alertmanager | Prometheus] = [*alertmanagers, *prometheis]
    for each in doubles:
        app = web.Application()
        app.router.add_get("/{path:.*}", each.answer)
        each.url = str((await serve(app)).make_url("/")).rstrip("/")
    with Store(url) as store:
        async with aiohttp.ClientSession(trust_env=False) as session:
            made = Scene(
                store=store,
                session=session,
                alertmanagers=alertmanagers,
                prometheis=prometheis,
            )
            await made.beats()
            yield made


@pytest.fixture
async def scene(tmp_path: Path, aiohttp_server: Serve) -> AsyncIterator[Scene]:
    """Set a scene on SQLite."""
    async with staged(f"sqlite:///{tmp_path / 'vigie.db'}", aiohttp_server) as made:
        yield made


@pytest.fixture
async def on_each(database_url: str, aiohttp_server: Serve) -> AsyncIterator[Scene]:
    """Set a scene on each kind of database."""
    async with staged(database_url, aiohttp_server) as made:
        yield made


def alone(scene: Scene) -> Alertmanager:
    """Leave one Alertmanager."""
    del scene.alertmanagers[1:]
    return scene.alertmanagers[0]


async def known(scene: Scene) -> None:
    """Let an alert come the ordinary way, so that our receiver is known."""
    labels = labels_of("Before") | NORTH
    for each in scene.alertmanagers:
        each.lists(labels, scene.now - 1)
    scene.prometheis[0].fires(labels_of("Before"), scene.now - 1)
    await scene.posted(labels, scene.now - 1)


async def test_what_fires_and_never_came_is_stored_after_the_grace(on_each: Scene) -> None:
    """It is on its way at first; then it is late, once, and its incident says why."""
    scene = on_each
    alertmanager, comparison = alone(scene), scene.comparison()
    await known(scene)
    alertmanager.lists(labels_of("Missed") | NORTH, scene.now)
    await scene.looks(comparison, 60)
    assert await scene.episodes("Missed") == []
    await scene.looks(comparison, 240)
    (episode,) = await scene.episodes("Missed")
    assert episode.seen_late
    assert episode.resolved_at is None
    assert episode.starts_at == T0
    assert "it had not reached us" in await scene.history(episode.incident_id)
    assert scene.count(GAPS.format("missed")) == 1
    assert scene.count(DOUBTS) == 0


async def test_what_fires_on_after_an_end_that_was_none_is_stored_again(on_each: Scene) -> None:
    """One of two Alertmanagers loses its Prometheus, and says that it is over.

    The other one's post comes so soon that it could be an old one: that is told, and when the
    alert is still there after the grace, it has an episode again.
    """
    scene = on_each
    one, _ = scene.alertmanagers
    comparison = scene.comparison()
    await known(scene)
    lasting, began_at = labels_of("Lasting") | NORTH, scene.now
    one.lists(lasting, began_at)
    await scene.posted(lasting, began_at)
    await scene.looks(comparison, 300)
    await scene.posted(lasting, began_at, scene.now - 5)
    scene.now += 10
    await scene.posted(lasting, began_at)
    await scene.looks(comparison, 60)
    (episode,) = await scene.episodes("Lasting")
    assert episode.resolved_at is not None
    repeated = "fires again just after its end: taken as a late repeat"
    assert await scene.facts(episode.id) == ["firing", "resolved", repeated]
    await scene.looks(comparison, 240)
    episodes = await scene.episodes("Lasting")
    (again,) = [each for each in episodes if each.id != episode.id]
    assert (again.starts_at, again.resolved_at, again.seen_late) == (began_at, None, True)
    assert "found firing in Alertmanager" in await scene.history(again.incident_id)
    assert scene.count(GAPS.format("missed")) == 1
    await scene.looks(comparison, 300)
    assert len(await scene.episodes("Lasting")) == 2


async def test_a_gap_is_stored_told_and_counted_or_none_of_it(
    on_each: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database fails halfway, the next look finds the gap again."""
    scene = on_each
    alertmanager, comparison = alone(scene), scene.comparison()
    await known(scene)
    alertmanager.lists(labels_of("Missed") | NORTH, scene.now)

    def fail(*_arguments: object) -> int:
        raise StoreUnavailableError("database: gone")

    with monkeypatch.context() as patched:
        patched.setattr(stored, "tell", fail)
        with pytest.raises(OverloadedError, match="gone"):
            await scene.looks(comparison, 300)
    assert await scene.episodes("Missed") == []
    await scene.looks(comparison, 60)
    (episode,) = await scene.episodes("Missed")
    assert "it had not reached us" in await scene.history(episode.incident_id)
    assert scene.count(GAPS.format("missed")) == 1


async def test_what_has_just_ended_is_no_gap_though_it_is_still_listed(scene: Scene) -> None:
    """An Alertmanager that lists it a little longer than it fires says nothing new."""
    alertmanager, comparison = alone(scene), scene.comparison()
    await known(scene)
    ending, began_at = labels_of("Ending") | NORTH, scene.now
    alertmanager.lists(ending, began_at)
    await scene.posted(ending, began_at)
    await scene.looks(comparison, 300)
    await scene.posted(ending, began_at, scene.now)
    await scene.looks(comparison, 60)
    alertmanager.forgets(ending)
    await scene.looks(comparison, 600)
    assert len(await scene.episodes("Ending")) == 1


async def test_what_is_held_back_or_not_for_us_is_no_gap(scene: Scene) -> None:
    """Silenced, inhibited, muted by time, and for others: neither while it fires nor after."""
    alertmanager, prometheus, comparison = alone(scene), scene.prometheis[0], scene.comparison()
    await known(scene)
    at = scene.now
    alertmanager.lists(labels_of("Silenced") | NORTH, at, state="suppressed", silencedBy=["s"])
    alertmanager.lists(labels_of("Inhibited") | NORTH, at, state="suppressed", inhibitedBy=["f"])
    alertmanager.lists(labels_of("Muted") | NORTH, at, mutedBy=["night"])
    alertmanager.lists(labels_of("Theirs") | NORTH, at, receiver="theirs")
    alertmanager.routes = (
        "route: {receiver: ours, group_wait: 1s, group_interval: 5s,"
        " routes: [{receiver: theirs, matchers: ['alertname=\"Theirs\"']}]}"
    )
    names = ("Silenced", "Inhibited", "Muted", "Theirs")
    for name in names:
        prometheus.fires(labels_of(name), at, at + 300)
    await scene.looks(comparison, 300)
    for name in names:
        alertmanager.forgets(labels_of(name) | NORTH)
    await scene.looks(comparison, 600)
    for name in names:
        assert await scene.episodes(name) == [], name
    assert scene.count(DOUBTS) == 0


async def test_an_end_that_was_lost_is_told_once_all_have_answered(on_each: Scene) -> None:
    """While one of two Alertmanagers has it or does not answer, it fires on."""
    scene = on_each
    one, other = scene.alertmanagers
    comparison = scene.comparison()
    await known(scene)
    lost = labels_of("Lost") | NORTH
    one.lists(lost, scene.now)
    other.lists(lost, scene.now)
    await scene.posted(lost, scene.now)
    await scene.looks(comparison, 60)
    one.forgets(lost)
    await scene.looks(comparison, 900)
    other.forgets(lost)
    other.broken = {ALERTS: 500}
    await scene.looks(comparison, 900)
    assert (await scene.episodes("Lost"))[0].resolved_at is None
    assert scene.count(FAILURES) > 0
    other.broken = {}
    gone_at = scene.now
    await scene.looks(comparison, 600)
    (episode,) = await scene.episodes("Lost")
    assert gone_at <= episode.resolved_at <= gone_at + 60
    assert "closed by comparison" in await scene.history(episode.incident_id)
    assert (await scene.episodes("Before"))[0].resolved_at is None
    assert scene.count(GAPS.format("closed")) == 1


async def test_an_end_that_was_lost_is_told_after_a_restart_too(on_each: Scene) -> None:
    """Who raises its alerts is remembered, though Alertmanager lists none of them any more."""
    scene = on_each
    await known(scene)
    lost = labels_of("Lost") | NORTH
    for each in scene.alertmanagers:
        each.lists(lost, scene.now)
    await scene.posted(lost, scene.now)
    await scene.looks(scene.comparison(), 60)
    for each in scene.alertmanagers:
        each.entries.clear()
    await scene.looks(scene.comparison(), 900)
    (episode,) = await scene.episodes("Lost")
    assert episode.resolved_at is not None


async def test_what_prometheus_still_fires_is_not_closed(scene: Scene) -> None:
    """An Alertmanager that lost its memory proves nothing."""
    alertmanager, comparison = alone(scene), scene.comparison()
    await known(scene)
    await scene.looks(comparison, 60)
    alertmanager.entries.clear()
    await scene.looks(comparison, 1200)
    assert (await scene.episodes("Before"))[0].resolved_at is None


@pytest.mark.parametrize("trouble", ["warnings", "prometheus", "config", "routes", "alertmanager"])
async def test_from_a_partial_answer_nothing_is_concluded_for_now(
    scene: Scene, trouble: str
) -> None:
    """It is asked again, for the same time, until the answer is whole."""
    one, prometheus = scene.alertmanagers[0], scene.prometheis[0]
    await known(scene)
    scene.now += HOUR
    prometheus.fires(labels_of("Meanwhile"), scene.now - 1800, scene.now - 1200)
    comparison = scene.comparison()
    if trouble == "warnings":
        prometheus.warnings = ["a store did not answer"]
    elif trouble == "prometheus":
        prometheus.broken = {"/api/v1/query": 503}
    elif trouble == "config":
        prometheus.broken = {"/api/v1/status/config": 502}
    elif trouble == "routes":
        one.broken = {STATUS: 503}
    else:
        one.broken = {ALERTS: 503}
    await scene.looks(comparison, 600)
    assert await scene.episodes("Meanwhile") == []
    assert scene.count(FAILURES) > 0
    assert scene.count(DOUBTS) == 0
    prometheus.warnings, prometheus.broken, one.broken = [], {}, {}
    await scene.looks(comparison, 60)
    (episode,) = await scene.episodes("Meanwhile")
    assert episode.seen_late
    assert scene.count(GAPS.format("missed_and_over")) == 1


async def test_routes_that_are_never_shown_are_a_doubt(scene: Scene) -> None:
    """Where Alertmanager does not offer its configuration, what is over is counted, not stored."""
    alertmanager, prometheus = alone(scene), scene.prometheis[0]
    await known(scene)
    scene.now += HOUR
    prometheus.fires(labels_of("Meanwhile"), scene.now - 1800, scene.now - 1200)
    alertmanager.broken = {STATUS: 403}
    await scene.looks(scene.comparison(), 300)
    assert await scene.episodes("Meanwhile") == []
    assert scene.count(DOUBTS) == 1


async def test_a_long_outage_is_looked_at_in_slices(on_each: Scene) -> None:
    """Hours are asked for piece by piece, without a hole, and the times are true."""
    scene = on_each
    alone(scene)
    prometheus = scene.prometheis[0]
    await known(scene)
    scene.now += 3 * HOUR
    # It lies across the border of two slices.
    start = scene.now - 900 - 300
    prometheus.fires(labels_of("Meanwhile"), start, start + 600)
    await scene.looks(scene.comparison(), 0)
    (episode,) = await scene.episodes("Meanwhile")
    assert (episode.starts_at, episode.resolved_at) == (start, start + 600)
    slices = sorted(prometheus.slices)
    assert slices[0][0] <= T0
    assert slices[-1][1] == scene.now
    assert max(end - begin for begin, end in slices) <= 900
    assert all(one[1] == pytest.approx(two[0]) for one, two in pairwise(slices))


@pytest.mark.parametrize("status", [200, 422])
async def test_a_slice_whose_answer_is_too_large_is_halved(scene: Scene, status: int) -> None:
    """Over the limit here or over Prometheus's own: less is asked for, nothing is left out."""
    alone(scene)
    prometheus = scene.prometheis[0]
    await known(scene)
    scene.now += HOUR
    prometheus.most_seconds, prometheus.refused_by = 120, status
    prometheus.fires(labels_of("Meanwhile"), scene.now - 1800, scene.now - 1200)
    await scene.looks(scene.comparison(), 0)
    (episode,) = await scene.episodes("Meanwhile")
    assert episode.resolved_at == scene.now - 1200
    assert scene.count(FAILURES) == 0


async def test_slices_are_not_halved_for_ever(scene: Scene) -> None:
    """Where not even the smallest is answered, the look fails and is made again."""
    alone(scene)
    prometheus = scene.prometheis[0]
    await known(scene)
    prometheus.most_seconds = 0
    await scene.comparison().look()
    assert scene.count(FAILURES) == 1
    assert prometheus.slices == []


async def test_what_was_over_before_we_were_known_is_looked_at_later(scene: Scene) -> None:
    """While no post has named a receiver of ours, the time judged does not move on."""
    alone(scene)
    prometheus, comparison = scene.prometheis[0], scene.comparison()
    prometheus.fires(labels_of("Early"), scene.now + 600, scene.now + 1200)
    await scene.looks(comparison, 2 * HOUR)
    assert await scene.episodes("Early") == []
    assert max(end - begin for begin, end in prometheus.slices) <= 300
    await known(scene)
    scene.now += 60
    await comparison.look()
    (episode,) = await scene.episodes("Early")
    assert (episode.seen_late, episode.starts_at) == (True, T0 + 600)
    prometheus.slices.clear()
    scene.now += 60
    await comparison.look()
    assert prometheus.slices[0][0] >= scene.now - 600


async def test_the_receiver_that_is_configured_needs_no_post(scene: Scene) -> None:
    """With `receiver`, what fires is found before anything has ever come."""
    alertmanager = alone(scene)
    scene.settings = ComparisonSettings(receiver="ours")
    alertmanager.lists(labels_of("Missed") | NORTH, scene.now)
    await scene.looks(scene.comparison(), 300)
    assert len(await scene.episodes("Missed")) == 1


async def test_only_one_replica_looks(on_each: Scene) -> None:
    """Where replicas share a database, the one that holds the lease asks; the others wait."""
    scene = on_each
    alertmanager = alone(scene)
    await scene.beats("two")
    await scene.comparison("one").look()
    asked = alertmanager.asked
    assert asked > 0
    other = scene.comparison("two")
    await other.look()
    is_shared = scene.store.workflows_url.startswith("postgresql")
    assert (alertmanager.asked == asked) is is_shared
    await scene.comparison("one").look()
    assert alertmanager.asked > asked


async def test_a_source_is_waited_for_as_long_as_it_says(scene: Scene) -> None:
    """An Alertmanager that hangs is given up after the source's own timeout."""
    alertmanager = alone(scene)
    alertmanager.hangs, scene.timeout_seconds = True, 0.2
    begun = time.monotonic()
    with pytest.raises(SilentError):
        await scene.comparison().look()
    assert time.monotonic() - begun < 4
