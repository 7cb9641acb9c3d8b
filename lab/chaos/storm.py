"""Thousands of alerts at once through the real Alertmanager, and what they cost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import aiohttp

from lab.chaos.account import Account
from lab.chaos.alerts import Condition
from lab.chaos.kills import at_rest, investigated, verdict_on
from lab.chaos.scene import Scene, eventually
from lab.chaos.verdict import Verdict

_HEALTH_SECONDS = 0.5
_HEALTH_LIMIT_SECONDS = 5.0
_LONG_SECONDS = 2.0
_SEVERITIES = ("critical", "warning", "warning", "info")


@dataclass(kw_only=True, slots=True)
class Health:
    """Asks a replica for its health, again and again; `red` are the times that it was not well."""

    asked: int = 0
    red: int = 0
    slowest_seconds: float = 0.0

    async def watch(self, scene: Scene) -> None:
        """Ask every replica, for ever."""
        while True:
            for replica in scene.replicas:
                began = time.monotonic()
                self.asked += 1
                self.red += not await _well(scene, replica.url)
                self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
            await asyncio.sleep(_HEALTH_SECONDS)


async def _well(scene: Scene, url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=_HEALTH_LIMIT_SECONDS)
    try:
        async with scene.session.get(f"{url}/-/healthy", timeout=timeout) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Storm:
    """What a storm came to; CPU and memory are of all replicas together, and of the largest."""

    verdict: Verdict
    alerts: int
    fired_seconds: float
    taken_seconds: float
    reported_seconds: float
    intake_p50_seconds: float
    intake_p99_seconds: float
    statuses: Counter[int]
    peak_rss_bytes: int
    cpu_taken_seconds: float
    cpu_all_seconds: float
    health: Health
    overtaken: int
    """Investigations of others that began while a critical one waited."""


async def storm(scene: Scene, alerts: int, conditions: int, within_seconds: float) -> Storm:
    """Fire so many alerts of so many conditions within a time, and watch until all is reported."""
    health = Health()
    watching = asyncio.create_task(health.watch(scene))
    cpu_before, began = _cpu(scene), time.monotonic()
    try:
        await _fire(scene, alerts // conditions, conditions, within_seconds)
        fired = time.monotonic() - began
        await _until_taken(scene, alerts)
        taken, cpu_taken = time.monotonic() - began, _cpu(scene) - cpu_before
        await investigated(scene, 900)
        reported, cpu_all = time.monotonic() - began, _cpu(scene) - cpu_before
    finally:
        watching.cancel()
    peak = max(replica.peak_rss_bytes() for replica in scene.replicas)
    ledger = scene.ledger
    p50, p99 = ledger.quantile_seconds(0.5), ledger.quantile_seconds(0.99)
    rest = await at_rest(scene, 600)
    return Storm(
        verdict=verdict_on(scene, rest),
        alerts=alerts,
        fired_seconds=fired,
        taken_seconds=taken,
        reported_seconds=reported,
        intake_p50_seconds=p50,
        intake_p99_seconds=p99,
        statuses=Counter(ledger.statuses),
        peak_rss_bytes=peak,
        cpu_taken_seconds=cpu_taken,
        cpu_all_seconds=cpu_all,
        health=health,
        overtaken=_overtaken(rest.account),
    )


async def _fire(scene: Scene, each: int, conditions: int, within_seconds: float) -> None:
    """Fire the conditions spread over nine tenths of the time; the worst are not the first."""
    began, share_seconds = time.monotonic(), 0.9 * within_seconds / conditions
    for number in range(conditions):
        severity = _SEVERITIES[-1 - number % len(_SEVERITIES)]
        condition = Condition(target=f"storm-{number}", severity=severity, alerts=each)
        await scene.sender.fire(condition)
        ahead_seconds = began + (number + 1) * share_seconds - time.monotonic()
        await asyncio.sleep(max(0.0, ahead_seconds))


async def _until_taken(scene: Scene, alerts: int) -> None:
    async def taken() -> bool:
        return len(scene.ledger.alerts) >= alerts

    await eventually(taken, f"{alerts} acknowledgements", 300)


def _cpu(scene: Scene) -> float:
    return sum(replica.cpu_seconds() for replica in scene.replicas)


def _overtaken(account: Account) -> int:
    """Count the investigations of others that began while a critical one had waited for long."""
    turns = [
        (incident["severity"] == "critical", incident["opened_at"], entry["at"])
        for incident in account.incidents.values()
        for entry in incident["history"]
        if entry["event"] == "investigating"
    ]
    waits = [(opened + _LONG_SECONDS, begun) for critical, opened, begun in turns if critical]
    begins = [begun for critical, _, begun in turns if not critical]
    return sum(any(since < begun < until for since, until in waits) for begun in begins)
