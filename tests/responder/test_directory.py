"""What component is behind each target, learnt from real servers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest

from responder.directory import Directory
from responder.sources.alertmanager import AlertmanagerSource
from responder.sources.exporter import ExporterSource
from responder.sources.prometheus import PrometheusSource
from tests.responder.conftest import Start, eventually
from tests.responder.fakes import alert, post
from tests.responder.sources.far_end import FarEnd

TARGETS = "/api/v1/targets"
QUERY = "/api/v1/query"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


def directory(session: aiohttp.ClientSession, sources: Sequence[object]) -> Directory:
    """Make a directory of sources, by the label `service`."""
    return Directory(session, lambda: sources, lambda: "service")


def listed(_: object) -> Any:
    """Answer as an exporter of three targets, one of which says nothing."""
    return {
        "targets": [
            {"name": "chat-probe", "labels": {"service": "chat"}},
            {"name": "mute", "labels": {}},
            {"name": "odd", "labels": "x"},
        ]
    }


def informed(form: Any) -> Any:
    """Answer as a Prometheus that knows a target's information."""
    assert "vigie_target_info" in form["query"]
    metric = {"target": "scorer-probe", "label_service": "scorer"}
    result = [{"metric": metric, "value": [1, "1"]}]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


async def test_exporter_and_prometheus_are_both_asked(session: aiohttp.ClientSession) -> None:
    """What each says is known; a source that cannot tell is not asked."""
    async with (
        FarEnd(answers={TARGETS: listed}) as exporter,
        FarEnd(answers={QUERY: informed}) as p,
    ):
        sources = [
            ExporterSource(url=exporter.url),
            PrometheusSource(url=p.url),
            AlertmanagerSource(url=p.url),
        ]
        asked = directory(session, sources)
        await asked.ask()
        assert asked.components == {"chat-probe": "chat", "scorer-probe": "scorer"}
        assert [path for path, _ in p.asked] == [QUERY]


async def test_what_was_said_stays_while_nobody_answers(session: aiohttp.ClientSession) -> None:
    """An exporter that is gone leaves what it said; a new answer replaces it."""
    answers = {TARGETS: listed}
    async with FarEnd(answers=answers) as exporter:
        asked = directory(session, [ExporterSource(url=exporter.url)])
        await asked.ask()
        answers.pop(TARGETS)
        await asked.ask()
        assert asked.components == {"chat-probe": "chat"}
        answers[TARGETS] = lambda _: {"targets": []}
        await asked.ask()
        assert asked.components == {}


async def test_an_alert_without_a_target_joins_the_target_in_front_of_it(start: Start) -> None:
    """A model server's own alert and its junior's are one incident, whichever comes first."""
    async with FarEnd(answers={TARGETS: listed}) as exporter:
        place = await start(
            f"incidents: {{quiet: 1h}}\nsources: [{{kind: exporter, url: '{exporter.url}'}}]"
        )
        directory = place.responder.current.directory
        assert directory is not None

        async def is_known() -> bool:
            return bool(directory.components)

        await eventually(is_known)
        at = time.time()
        native = alert("Queue", starts_at=at, target="", service="chat", severity="warning")
        probe = alert("Slow", starts_at=at, target="chat-probe", severity="warning")
        await place.send(post(native, group="one"))
        await place.send(post(probe, group="two"))
        (incident,) = await place.incidents()
        assert incident["alertnames"] == ["Queue", "Slow"]
