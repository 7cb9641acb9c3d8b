"""The whole loop on the real stack: fault, alert, webhook, report, resolved."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from rich.console import Console

from lab.demo.run import Narrator, Scene
from lab.installation import EXPORTER, RESPONDER, Installation, Plan, Settings
from lab.stack.runner import PROMETHEUS
from tests.e2e.sink import Sink

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sink() -> AsyncIterator[Sink]:
    """Run the receiver that the webhook channel posts to."""
    async with Sink() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    sink: Sink, programs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """Run everything once for the tests of this module."""

    def deliver_to_the_sink(settings: Settings) -> None:
        settings["channels"] = [{"kind": "webhook", "name": "sink", "url": sink.url}]

    plan = Plan(
        folder=tmp_path_factory.mktemp("installation"),
        programs=programs,
        environ=os.environ,
        edit_responder=deliver_to_the_sink,
    )
    async with Installation(plan) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return one HTTP session for the module."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as running:
        yield running


async def eventually(ask: Callable[[], Any], what: str, within_seconds: float = 120) -> Any:
    """Ask until the answer is true; raises AssertionError naming what was awaited."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        answer = await ask()
        if answer:
            return answer
        await asyncio.sleep(0.1)
    raise AssertionError(f"{what}: not within {within_seconds} s")


async def incidents(place: Installation, session: aiohttp.ClientSession) -> list[dict[str, Any]]:
    """Return the responder's incidents, newest first."""
    async with session.get(f"{place.url(RESPONDER)}/api/v1/incidents") as response:
        return list((await response.json())["incidents"])


async def raise_alert(
    place: Installation, session: aiohttp.ClientSession, name: str, severity: str = "warning"
) -> None:
    """Hand an alert of the test's own to the real Alertmanager; it fires for ten minutes.

    Without an end it would be resolved within the stack's scaled twenty seconds, on a busy machine
    before its turn, and what is over and not critical is not investigated.
    """
    labels = {"alertname": name, "severity": severity, "target": f"{name.lower()}-endpoint"}
    ends_at = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10)
    alert = {
        "labels": labels,
        "annotations": {"summary": "Raised by a test."},
        "endsAt": ends_at.isoformat(),
    }
    url = f"{place.stack.alertmanager_url}/api/v2/alerts"
    async with session.post(url, json=[alert]) as response:
        assert response.status == 200


def promtool_says(promtool: Path, exposition: str) -> tuple[int, str]:
    """Return the exit code of `promtool check metrics`, and what it printed."""
    check = [str(promtool), "check", "metrics"]
    said = subprocess.run(check, input=exposition, text=True, capture_output=True, check=False)
    return said.returncode, said.stdout + said.stderr


def about(received: Any, name: str) -> bool:
    """Say whether a delivered message speaks of the alert."""
    return name in str(received.body)


async def test_both_programs_are_scraped_and_their_metrics_are_clean(
    place: Installation, session: aiohttp.ClientSession, programs: Mapping[str, Path]
) -> None:
    """Prometheus scrapes both programs, and promtool has nothing to say about either exposition."""

    async def up() -> bool:
        query = {"query": 'up{job=~"vigie-.*"}'}
        async with session.get(f"{place.url(PROMETHEUS)}/api/v1/query", params=query) as response:
            found = (await response.json())["data"]["result"]
        return [each["value"][1] for each in found] == ["1", "1"]

    await eventually(up, "both programs up in Prometheus")
    for program in (EXPORTER, RESPONDER):
        async with session.get(f"{place.url(program)}/metrics") as response:
            text = await response.text()
        assert await asyncio.to_thread(promtool_says, programs["promtool"], text) == (0, "")


async def test_a_fault_ends_in_a_delivered_report_and_its_clearing_in_a_resolution(
    place: Installation, session: aiohttp.ClientSession, sink: Sink
) -> None:
    """A hung engine is alerted on, explained, delivered, and told resolved when it lives again."""
    narrator = Narrator(console=Console(stderr=True))
    scene = Scene(place=place, session=session, narrator=narrator, baseline_seconds=20)
    await scene.until_healthy()
    verdict, incident = await scene.play("hang")
    assert incident is not None, "no report"
    assert verdict.right, verdict
    await scene.clear("hang")

    async def resolved() -> bool:
        url = f"{place.url(RESPONDER)}/api/v1/incidents/{incident['id']}"
        async with session.get(url) as response:
            return (await response.json())["resolved_at"] is not None

    await eventually(resolved, "the incident resolved")

    async def told() -> bool:
        own = [each for each in sink.received if incident["id"] in str(each.body)]
        return {each.body["status"] for each in own} == {"reported", "resolved"}

    await eventually(told, "the report and its resolution delivered")


async def test_killed_after_its_ack_it_reports_after_its_restart(
    place: Installation, session: aiohttp.ClientSession, sink: Sink
) -> None:
    """An acknowledged alert survives SIGKILL before its report; the restart delivers it."""
    await raise_alert(place, session, "KilledBeforeReport")

    async def acknowledged() -> bool:
        return "KilledBeforeReport" in str(await incidents(place, session))

    await eventually(acknowledged, "the incident stored")
    assert not any(about(each, "KilledBeforeReport") for each in sink.received), "too late to kill"
    await place.responder.kill()
    await place.responder.start()

    async def delivered() -> bool:
        return any(about(each, "KilledBeforeReport") for each in sink.received)

    await eventually(delivered, "the report of the killed program")


async def test_killed_while_it_delivers_it_repeats_under_the_same_key(
    place: Installation, session: aiohttp.ClientSession, sink: Sink
) -> None:
    """A delivery cut by SIGKILL is made again, under the idempotency key of the first."""
    sink.hold.clear()
    await raise_alert(place, session, "KilledInDelivery", severity="critical")

    async def begun() -> bool:
        return any(about(each, "KilledInDelivery") for each in sink.received)

    await eventually(begun, "the first delivery")
    await place.responder.kill()
    sink.hold.set()
    await place.responder.start()

    async def repeated() -> bool:
        return sum(about(each, "KilledInDelivery") for each in sink.received) >= 2

    await eventually(repeated, "the repeated delivery")
    keys = {each.key for each in sink.received if about(each, "KilledInDelivery")}
    assert len(keys) == 1
    assert keys != {""}
