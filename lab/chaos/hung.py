"""Kills right after the acknowledgement, and a model that hangs while alerts pour in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lab.chaos.alerts import Condition
from lab.chaos.kills import at_rest, investigated, verdict_on
from lab.chaos.scene import Scene, eventually
from lab.chaos.verdict import Verdict
from lab.mistral.server import Persona

_TRAP_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Survived:
    """What came of it: the alerts acknowledged before a kill, and those found again after it."""

    verdict: Verdict
    acknowledged: int
    found: int


async def killed_after_ack(scene: Scene, times: int) -> Survived:
    """Kill a replica the moment it acknowledged an alert, so many times, one alert each."""
    for number in range(times):
        condition = Condition(target=f"killed-{number}", severity="critical")
        trap = scene.moments.set("acknowledged", lambda name: scene.replica(name).strike("ack"))
        await scene.sender.fire(condition)
        async with asyncio.timeout(_TRAP_SECONDS):
            await trap.sprung.wait()
        for replica in scene.replicas:
            if replica.pid is None or (replica.kills[-1:] and replica.kills[-1].why == "ack"):
                await replica.reap()
                await replica.start()
    return await survived(scene)


async def model_hangs(scene: Scene, alerts: int) -> Survived:
    """Hang the model, have so many alerts acknowledged, kill every replica, and let it go on."""
    scene.ends.model.persona = Persona(name="hang")
    for number in range(alerts // 2):
        condition = Condition(target=f"waits-{number}", severity="warning", alerts=2)
        await scene.sender.fire(condition)

    async def taken() -> bool:
        return len(scene.ledger.alerts) >= alerts

    await eventually(taken, f"{alerts} acknowledgements while the model hangs")
    for replica in scene.replicas:
        replica.strike("model hangs")
        await replica.reap()
    scene.ends.model.persona = Persona()
    for replica in scene.replicas:
        await replica.start()
    return await survived(scene)


async def survived(scene: Scene) -> Survived:
    """Wait until all is at its end, and count what is found again."""
    await investigated(scene, 180)
    acknowledged = len(scene.ledger.alerts)
    verdict = verdict_on(scene, await at_rest(scene))
    found = verdict.ends["report"] + verdict.ends["occurrence"] + verdict.ends["merged"]
    return Survived(verdict=verdict, acknowledged=acknowledged, found=found)
