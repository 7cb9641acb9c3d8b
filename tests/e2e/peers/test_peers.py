"""The exporter and the responder against model servers that others wrote, each killed once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from rich.console import Console

from lab.demo.run import Narrator, Scene
from lab.installation import EXPORTER, RESPONDER, Installation, Plan, Settings
from lab.stack.process import Process
from tests.e2e.peers.environments import environment
from tests.e2e.peers.servers import MLSERVER, SIMULATOR, mlserver, simulator, simulator_program
from tests.e2e.test_loop import eventually, incidents

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

ROWS = {
    "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}]
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Peers:
    """The third-party servers and the installation that watches them."""

    place: Installation
    servers: Mapping[str, Process]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return one HTTP session for the module."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peers(
    programs: Mapping[str, Path], cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Peers]:
    """Run both servers, and the stack over them without the lab."""
    folder = tmp_path_factory.mktemp("peers")
    scored, addresses = mlserver(environment(MLSERVER, cache), folder / MLSERVER)
    simulated, address = simulator(simulator_program(cache), folder / SIMULATOR)
    (folder / "peers.yml").write_text(_discovery(addresses["metrics"], address))
    plan = Plan(
        folder=folder / "installation",
        programs=programs,
        environ=os.environ,
        lab=False,
        targets=folder / "peers.yml",
        edit_exporter=lambda settings: _watch(settings, addresses["rest"], address),
        edit_responder=_without_topology,
    )
    await scored.start()
    await simulated.start()
    try:
        async with Installation(plan) as place:
            yield Peers(place=place, servers={MLSERVER: scored, SIMULATOR: simulated})
    finally:
        await scored.stop()
        await simulated.stop()


def _discovery(metrics: str, address: str) -> str:
    found = [
        {"targets": [metrics], "labels": {"service": MLSERVER}},
        {"targets": [address], "labels": {"service": SIMULATOR}},
    ]
    return yaml.safe_dump(found)


def _watch(settings: Settings, rest: str, address: str) -> None:
    """Watch the two peers in the lab's place."""
    settings["targets"] = [
        {
            "name": MLSERVER,
            "kind": "oip",
            "url": f"http://{rest}",
            "model": "fraud",
            "canaries": [{"name": "rows", **ROWS, "expect": {"predict": [0]}}],
            "labels": {"service": MLSERVER},
        },
        {
            "name": SIMULATOR,
            "kind": "openai_chat",
            "url": f"http://{address}",
            "dialect": "vllm",
            "model": "simulated",
            "canaries": [{"name": "echo", "prompt": "Say echo.", "checks": [{"contains": "echo"}]}],
            "native": {"url": f"http://{address}/metrics", "server": "vllm"},
            "labels": {"service": SIMULATOR},
        },
    ]


def _without_topology(settings: Settings) -> None:
    settings["topology"] = {"component_label": "service", "calls": []}


async def _metrics(place: Installation, session: aiohttp.ClientSession) -> str:
    async with session.get(f"{place.url(EXPORTER)}/metrics") as response:
        return await response.text()


async def test_both_peers_are_probed_as_their_users_would(
    peers: Peers, session: aiohttp.ClientSession
) -> None:
    """Both answer right, and the simulator's stream yields a time to first token."""
    scene = Scene(
        place=peers.place,
        session=session,
        narrator=Narrator(console=Console(stderr=True)),
        baseline_seconds=15,
    )
    await scene.until_healthy()
    text = await _metrics(peers.place, session)
    assert f'vigie_probe_success{{target="{MLSERVER}"}} 1' in text
    assert f'vigie_probe_success{{target="{SIMULATOR}"}} 1' in text
    assert f'vigie_llm_time_to_first_token_seconds_count{{target="{SIMULATOR}"' in text


@pytest.mark.parametrize("name", [MLSERVER, SIMULATOR])
async def test_a_killed_peer_is_named_by_a_report(
    peers: Peers, session: aiohttp.ClientSession, name: str
) -> None:
    """SIGKILL of a server ends in a report whose first cause is that server's crash."""
    await peers.servers[name].kill()

    async def reported() -> dict[str, Any] | None:
        for each in await incidents(peers.place, session):
            url = f"{peers.place.url(RESPONDER)}/api/v1/incidents/{each['id']}"
            async with session.get(url) as response:
                incident: dict[str, Any] = await response.json()
            if name in str(incident.get("targets")) and incident.get("report"):
                return incident
        return None

    incident = await eventually(reported, f"a report that names {name}")
    first = incident["report"]["causes"][0]
    assert (first["component"], first["kind"]) == (name, "crash")
