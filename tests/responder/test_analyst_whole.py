"""A responder whose model has tools: stopped or killed in the middle, and played again."""

from __future__ import annotations

import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from rich.console import Console
from yarl import URL

from lab.mistral.server import Persona, StandIn
from responder.assembly import Startup, running
from responder.config import Config
from responder.investigator import investigator
from responder.outlet import Outlet
from responder.replaying import command
from responder.replaying.replay import ReplayError
from tests.responder.conftest import Place, eventually
from tests.responder.fakes import ScriptedInvestigation, alert, post
from tests.responder.test_main import program
from toolkit.settings import parse
from toolkit.web import load_web_config

RUNBOOK = "# HighLatency\n\n## Mitigation\n\n- Look at it.\n"


@asynccontextmanager
async def serving(folder: Path, settings: str) -> AsyncIterator[Place]:
    """Run a responder with the investigation that its configuration describes."""
    startup = Startup(
        read=lambda: parse(settings, "responder.yml", Config, environ={}),
        directory=folder,
        addresses=["127.0.0.1:0"],
        web=load_web_config(None, {}),
        version="test",
        build=investigator,
    )
    async with running(startup) as responder, aiohttp.ClientSession() as session:
        yield Place(
            responder=responder,
            investigation=ScriptedInvestigation(),
            session=session,
            url=URL(f"http://{responder.addresses[0]}"),
        )


@pytest.fixture
async def stand_in() -> AsyncIterator[tuple[StandIn, str]]:
    """Serve a model, and give the settings of a responder that asks it."""
    made = StandIn()
    server = TestServer(made.application())
    await server.start_server(shutdown_timeout=0.1)
    settings = (
        "incidents: {quiet: 0s}\n"
        "sources: [{kind: runbooks, folder: pages}]\n"
        "analyst: {kind: mistral, model: mistral-small-latest, api_key: {file: key},"
        f" server_url: 'http://127.0.0.1:{server.port}'}}\n"
    )
    yield made, settings
    await server.close()


def _lay_out(folder: Path, settings: str) -> None:
    (folder / "key").write_text("k", encoding="utf-8")
    (folder / "pages").mkdir()
    (folder / "pages" / "HighLatency.md").write_text(RUNBOOK, encoding="utf-8")
    (folder / "responder.yml").write_text(settings, encoding="utf-8")


async def _asked_twice(model: StandIn) -> bool:
    return len(model.received) == 2


def _went_on(model: StandIn) -> None:
    """Hold that the third request is the second one again, with what the first one's tools said."""
    assert len(model.received) == 3
    said = [[each["role"] for each in request["messages"]] for request in model.received]
    assert "tool" not in said[0]
    assert said[1] == said[2]


async def test_a_killed_responder_asks_nothing_again(
    tmp_path: Path, stand_in: tuple[StandIn, str]
) -> None:
    """SIGKILL while the model thinks: the next process goes on from the turn that was written."""
    model, settings = stand_in
    _lay_out(tmp_path, settings)
    model.persona = Persona(name="intruder", times=1, then="hang")
    async with program(tmp_path) as first:
        assert await first.send(post(alert("HighLatency", starts_at=time.time()))) == 200
        await eventually(lambda: _asked_twice(model))
        await first.kill()

    model.persona = Persona(name="intruder")
    async with program(tmp_path) as second:

        async def reported() -> bool:
            return all(each["state"] == "reported" for each in await second.incidents())

        await eventually(reported)
        (incident,) = await second.incidents()
        whole = await second.incident(incident["id"])
    _went_on(model)
    assert whole["report"]["analyst"] == "mistral (mistral-small-latest)"


async def test_a_stopped_responder_asks_nothing_again(
    tmp_path: Path, stand_in: tuple[StandIn, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was answered and looked at before is gone on with, and the report is played again."""
    model, settings = stand_in
    monkeypatch.chdir(tmp_path)
    _lay_out(tmp_path, settings)
    model.persona = Persona(name="intruder", times=1, then="hang")

    async with serving(tmp_path, settings) as place:
        assert await place.send(post(alert("HighLatency", starts_at=time.time()))) == 200

        await eventually(lambda: _asked_twice(model))

    model.persona = Persona(name="intruder")
    async with serving(tmp_path, settings) as place:
        (incident,) = await place.reported()
        found = await place.read(f"/api/v1/incidents/{incident['id']}")
    _went_on(model)
    report = found["report"]
    assert report["analyst"] == "mistral (mistral-small-latest)"

    told: list[str] = []
    out = io.StringIO()
    outlet = Outlet(console=Console(file=out, width=200), tell=told.append)
    namespace = command.parser().parse_args([incident["id"], "--json"])
    assert await command.run(namespace, {}, outlet) == 0
    with pytest.raises(ReplayError, match="no model's turns"):
        await command.run(command.parser().parse_args(["nobody"]), {}, outlet)
    played = json.loads(out.getvalue())
    assert {**played, "seconds": 0} == {**report, "seconds": 0}
    assert told[-1] == "the report is the one that was stored"
    assert "run_shell refused" in told[1]
