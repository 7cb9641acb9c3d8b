"""What Alertmanager may do to us, and alerts that come and go while an investigation runs."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.chaos.account import Account
from lab.chaos.alerts import RESEND_SECONDS, Condition
from lab.chaos.kills import at_rest, investigated, verdict_on
from lab.chaos.scene import Scene, eventually
from lab.chaos.verdict import Verdict
from lab.mistral.server import Persona

HOUR_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """How it ended, and the product's own account of it."""

    verdict: Verdict
    account: Account

    def about(self, target: str) -> Sequence[Mapping[str, Any]]:
        """Give the incidents of a target, oldest first."""
        found = [each for each in self.account.incidents.values() if target in each["targets"]]
        return sorted(found, key=lambda incident: float(incident["opened_at"]))

    def events(self, target: str) -> Sequence[str]:
        """Give what its incidents' history says happened, in order."""
        return [entry["event"] for each in self.about(target) for entry in each["history"]]


async def alertmanager_restarts(scene: Scene, *, forgets: bool) -> Story:
    """End Alertmanager after its notices and start it again: in order, or killed and forgetful."""
    before = Condition(target="before-the-restart", severity="critical", alerts=2)
    await _taken(scene, before)
    await investigated(scene)
    alertmanager, posts = scene.alertmanagers[0], _posts(scene)
    await (alertmanager.kill() if forgets else alertmanager.stop())
    if forgets:
        shutil.rmtree(scene.plan.folder / "am0-data", ignore_errors=True)
    after = Condition(target="during-the-restart", severity="critical")
    await scene.sender.fire(after)
    await alertmanager.start()
    await _taken(scene, after)

    async def told_again() -> bool:
        return _posts(scene) > posts + 1

    # Without its state it tells of everything anew; with it, it need not.
    if forgets:
        await eventually(told_again, "the firing alerts told again")
    await asyncio.sleep(1.5 * RESEND_SECONDS)
    return await _told(scene)


async def clocks_differ(scene: Scene, ahead_seconds: float) -> Story:
    """Have Prometheus live ahead of us for one alert, and an hour behind us for another."""
    scene.sender.skew_seconds = ahead_seconds
    await _taken(scene, Condition(target="from-the-future", severity="critical"))
    scene.sender.skew_seconds = -HOUR_SECONDS
    condition = Condition(target="from-the-past", severity="critical")
    # An end that has passed for Alertmanager would make it a resolved alert at once.
    await scene.sender.fire(condition, open_end=True)
    await _acknowledged(scene, condition)
    await investigated(scene)
    scene.sender.skew_seconds = 0.0
    return await _told(scene)


async def refires_while_investigated(scene: Scene) -> Story:
    """Hang the model, resolve and refire the alert meanwhile, add another, and let it answer."""
    scene.ends.model.persona = Persona(name="hang")
    first = Condition(target="restless", severity="critical", name="Restless")
    await _taken(scene, first)
    await eventually(lambda: _seen(scene, "analyse"), "the model asked")
    await scene.sender.resolve(first)
    await eventually(lambda: _ended(scene, first), "the resolution acknowledged")
    await asyncio.sleep(1.1)
    await scene.sender.fire(first)
    await eventually(lambda: _begun(scene, first, 2), "the second firing acknowledged")
    await _taken(scene, Condition(target="restless", severity="critical", name="Another"))
    scene.ends.model.persona = Persona()
    await investigated(scene)
    return await _told(scene)


async def sent_again(scene: Scene, times: int) -> Story:
    """Have one group posted again and again, as it is after a change of its members."""
    condition = Condition(target="repeated", severity="critical", alerts=3)
    await _taken(scene, condition)
    posts = _posts(scene)

    async def enough() -> bool:
        return _posts(scene) >= posts + times

    await eventually(enough, f"{times} repeats")
    await investigated(scene)
    return await _told(scene)


async def two_alertmanagers(scene: Scene, conditions: int) -> Story:
    """Fire and resolve through two Alertmanagers that both deliver each notice."""
    for number in range(conditions):
        severity = ("critical", "warning")[number % 2]
        condition = Condition(target=f"twice-{number}", severity=severity, alerts=2)
        await scene.sender.fire(condition)

    async def both() -> bool:
        heard = [entry.senders for entry in scene.ledger.alerts.values()]
        return len(heard) == 2 * conditions and all(len(each) == 2 for each in heard)

    if scene.plan.clustered:
        await eventually(lambda: _count(scene, 2 * conditions), "every alert acknowledged")
    else:
        await eventually(both, "every alert acknowledged to both")
    await investigated(scene)
    return await _told(scene)


async def _told(scene: Scene) -> Story:
    rest = await at_rest(scene)
    return Story(verdict=verdict_on(scene, rest), account=rest.account)


async def _taken(scene: Scene, condition: Condition) -> None:
    await scene.sender.fire(condition)
    await _acknowledged(scene, condition)


async def _acknowledged(scene: Scene, condition: Condition) -> None:
    await eventually(lambda: _begun(scene, condition, 1), f"{condition.target} acknowledged")


async def _begun(scene: Scene, condition: Condition, times: int) -> bool:
    """Tell whether each alert of a condition was acknowledged with so many starts."""
    wanted = [dict(labels) for labels in condition.labels()]
    taken = [dict(entry.labels) for entry in scene.ledger.alerts.values()]
    return all(taken.count(labels) >= times for labels in wanted)


async def _ended(scene: Scene, condition: Condition) -> bool:
    wanted = [dict(labels) for labels in condition.labels()]
    entries = scene.ledger.alerts.values()
    return all(any(each.ended and dict(each.labels) == w for each in entries) for w in wanted)


async def _seen(scene: Scene, stage: str) -> bool:
    return scene.moments.seen[stage] > 0


async def _count(scene: Scene, alerts: int) -> bool:
    return len(scene.ledger.alerts) >= alerts


def _posts(scene: Scene) -> int:
    return int(scene.ledger.statuses[200])
