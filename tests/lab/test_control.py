"""The control API: faults set once, cleared once, and refused with a text."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from aiohttp.test_utils import TestServer

from lab.changes import ChangeLog
from lab.control import Control, Lab
from lab.faults import Levers
from lab.processes import ProcessFailedError
from lab.truth import load
from tests.lab.servers import App, Client


@dataclass(kw_only=True, slots=True)
class Noted:
    """A fault that notes what is done with it, and can fail."""

    done: list[str] = field(default_factory=list)
    fails: bool = False

    async def set(self, levers: Levers) -> float:
        """Note it."""
        if self.fails:
            raise ProcessFailedError("process 7 is gone")
        self.done.append("set")
        return levers.clock()

    async def clear(self, _levers: Levers) -> None:
        """Note it."""
        self.done.append("clear")


@pytest.fixture
def fault() -> Noted:
    """Give a fault that notes."""
    return Noted()


@pytest.fixture
async def client(aiohttp_client: Client, fault: Noted) -> App:
    """Serve the control API of a lab without components, at a fixed time."""
    levers = Levers(keepers={}, changes=ChangeLog(receiver=None), clock=lambda: 1000.0)
    lab = Lab(levers=levers, truth=load(), faults={"hang": fault}, ready=True)
    return await aiohttp_client(TestServer(Control(lab=lab).application()))


async def test_setting_twice_sets_once(client: App, fault: Noted) -> None:
    """The second request answers as the first did, with the same onset."""
    told = {"fault": "hang", "component": "chat", "cause_kind": "hung_engine", "onset": 1000.0}
    for _ in range(2):
        response = await client.put("/faults/hang")
        assert (response.status, await response.json()) == (200, told)
    assert fault.done == ["set"]
    assert (await (await client.get("/status")).json())["faults"] == [told]


async def test_clearing_is_clean_and_idempotent(client: App, fault: Noted) -> None:
    """A fault that is not set may be cleared; one that is set is cleared once."""
    assert (await client.delete("/faults/hang")).status == 200
    await client.put("/faults/hang")
    for _ in range(2):
        response = await client.delete("/faults/hang")
        assert await response.json() == {"fault": "hang", "cleared": 1000.0}
    assert fault.done == ["set", "clear"]
    listed = (await (await client.get("/faults")).json())["faults"]
    assert [row["onset"] for row in listed] == [None]


async def test_an_unknown_fault_is_404_with_a_remedy(client: App) -> None:
    """The text says where the known ones are."""
    for name in ("nonsense", "crash", "x" * 500):
        response = await client.put(f"/faults/{name}")
        assert response.status == 404
        assert "GET /faults" in (await response.json())["error"]


async def test_a_fault_that_cannot_be_set_is_not_set(client: App, fault: Noted) -> None:
    """The failure is told, and the fault does not stand in the status."""
    fault.fails = True
    response = await client.put("/faults/hang")
    assert response.status == 503
    assert (await response.json())["error"] == "hang: process 7 is gone"
    assert (await (await client.get("/status")).json())["faults"] == []


async def test_health_follows_readiness(client: App) -> None:
    """A lab that is up says 200."""
    assert (await client.get("/healthz")).status == 200
    assert await (await client.get("/changes")).json() == {"changes": []}
