"""The watches, against small servers that answer as the programs do."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from lab.demo.watch import IncidentWatch, JuniorWatch, RuleWatch, Watch


class Answers:
    """A server whose one answer the test changes as it goes."""

    def __init__(self, path: str) -> None:
        """Answer at *path* alone."""
        self.body: Any = None
        self.app = web.Application()
        self.app.router.add_get(path, self._give)

    async def _give(self, _request: web.Request) -> web.Response:
        if self.body is None:
            return web.Response(status=503)
        return web.json_response(self.body)


async def told(watch: Watch) -> list[str]:
    """Ask a watch once, and return what it says."""
    async with aiohttp.ClientSession() as session:
        return [line.text async for line in watch.lines(session)]


async def served(answers: Answers, aiohttp_server: AiohttpServer) -> str:
    """Start the server, and return its address."""
    server = await aiohttp_server(answers.app)
    return str(server.make_url("")).rstrip("/")


async def test_a_junior_is_told_of_when_its_state_changes(aiohttp_server: AiohttpServer) -> None:
    """A healthy target is no news; going down is, once, and with its reason."""
    answers = Answers("/api/v1/targets")
    watch = JuniorWatch(exporter=await served(answers, aiohttp_server))
    answers.body = {"targets": [{"name": "chat", "state": "ok", "reason": None}]}
    assert await told(watch) == []
    answers.body = {"targets": [{"name": "chat", "state": "down", "reason": "connect"}]}
    assert await told(watch) == ["target chat: ok -> down (connect)"]
    assert await told(watch) == []


async def test_an_alert_is_told_of_from_pending_to_resolved(aiohttp_server: AiohttpServer) -> None:
    """Each state of an alert is said once; the watchdog, which always fires, never."""
    answers = Answers("/api/v1/alerts")
    watch = RuleWatch(prometheus=await served(answers, aiohttp_server))

    def alerts(*states: tuple[str, str]) -> dict[str, Any]:
        found = [
            {"labels": {"alertname": name, "target": "chat"}, "state": state}
            for name, state in states
        ]
        return {"data": {"alerts": found}}

    answers.body = alerts(("Down", "pending"), ("VigieWatchdog", "firing"))
    assert await told(watch) == ["alert Down (chat): pending"]
    answers.body = alerts(("Down", "firing"), ("VigieWatchdog", "firing"))
    assert await told(watch) == ["alert Down (chat): firing"]
    answers.body = alerts(("VigieWatchdog", "firing"))
    assert await told(watch) == ["alert Down (chat): resolved"]


async def test_an_incident_is_told_of_step_by_step(aiohttp_server: AiohttpServer) -> None:
    """Opening, each stage, and the delivery are said once each, in order."""
    answers = Answers("/api/v1/incidents")
    watch = IncidentWatch(responder=await served(answers, aiohttp_server))
    incident = {"id": "0123456789", "alertnames": ["Down"], "stages_done": ["gather"]}
    answers.body = {"incidents": [incident | {"delivered": False}]}
    assert await told(watch) == [
        "incident 01234567: opened for Down",
        "incident 01234567: gather done",
    ]
    stages = ["gather", "report"]
    answers.body = {"incidents": [incident | {"stages_done": stages, "delivered": True}]}
    assert await told(watch) == [
        "incident 01234567: report done",
        "incident 01234567: report delivered",
    ]


@pytest.mark.parametrize("watch", [JuniorWatch, RuleWatch, IncidentWatch])
async def test_a_program_that_does_not_answer_is_no_news(watch: Any) -> None:
    """A closed port is silence, not an error."""
    assert await told(_at_closed_port(watch)) == []


def _at_closed_port(watch: Any) -> Any:
    (field,) = [name for name in watch.__dataclass_fields__ if name != "seen"]
    return watch(**{field: "http://127.0.0.1:9"})
