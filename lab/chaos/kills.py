"""The long run: alerts come and go while replicas are killed at every stage and at random."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lab.chaos import account
from lab.chaos.account import Account
from lab.chaos.alerts import Condition
from lab.chaos.front import Acknowledged, Key
from lab.chaos.moments import STAGES
from lab.chaos.replicas import Replica
from lab.chaos.scene import ChaosError, Scene, eventually
from lab.chaos.verdict import Evidence, Verdict, judge
from lab.stack.errors import StackError

RANDOM = "random"
START = "starting"
_TRAP_SECONDS = 12.0
_LONGEST_RANDOM_SECONDS = 1.5
_LONGEST_START_SECONDS = 1.5
_LATE_SECONDS = 0.06
_SEVERITIES = ("critical", "warning", "warning", "info")
_LIVE = 10
QUIET_SECONDS = 2.0


@dataclass(kw_only=True, slots=True)
class Traffic:
    """Fires fresh conditions, lets old ones end, and some of them come again."""

    scene: Scene
    live: list[Condition] = field(default_factory=list)
    ended: list[Condition] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def stir(self) -> None:
        """Do one round of it."""
        chance = self.scene.chance
        for _ in range(chance.randint(1, 2)):
            await self._begin(self._fresh())
        if self.ended and chance.random() < 0.4:
            await self._begin(self.ended.pop(chance.randrange(len(self.ended))))
        while len(self.live) > _LIVE:
            condition = self.live.pop(chance.randrange(len(self.live)))
            self.ended.append(condition)
            await self.scene.sender.resolve(condition)

    async def _begin(self, condition: Condition) -> None:
        self.live.append(condition)
        await self.scene.sender.fire(condition)

    def _fresh(self) -> Condition:
        chance, number = self.scene.chance, next(self._numbers)
        severity = chance.choice(_SEVERITIES)
        return Condition(
            target=f"endpoint-{number}", severity=severity, alerts=chance.randint(1, 3)
        )


@dataclass(kw_only=True, slots=True)
class Killer:
    """Kills replicas one after the other, at the stages in turn; `hits` counts where it did."""

    scene: Scene
    traffic: Traffic
    hits: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    _coming: set[asyncio.Task[None]] = field(default_factory=set)
    _broken: list[BaseException] = field(default_factory=list)

    async def run(self, kills: int, tell: Callable[[str], None]) -> None:
        """Kill so many times."""
        stages = itertools.cycle((*STAGES, RANDOM, START))
        while self.hits.total() < kills:
            stage = next(stages)
            done = await self._one(stage)
            (self.hits if done else self.missed)[stage] += 1
            if done and self.hits.total() % 10 == 0:
                tell(f"{self.hits.total()} kills, {len(self.scene.ledger.alerts)} alerts taken")
        await asyncio.gather(*self._coming)

    async def _one(self, stage: str) -> bool:
        await self._until_some_run()
        if stage == START:
            return await self._at_start()
        if stage == RANDOM:
            await self.traffic.stir()
            await asyncio.sleep(self.scene.chance.uniform(0, _LONGEST_RANDOM_SECONDS))
            await self._fell(self._running(), RANDOM)
            return True
        return await self._at_stage(stage)

    async def _at_stage(self, stage: str) -> bool:
        struck: list[Replica] = []
        late = self.scene.chance.choice((0.0, self.scene.chance.uniform(0, _LATE_SECONDS)))

        def strike(name: str) -> None:
            victim = self.scene.replica(name)
            struck.append(victim)
            if late:
                asyncio.get_running_loop().call_later(late, victim.strike, stage)
            else:
                victim.strike(stage)

        trap = self.scene.moments.set(stage, strike)
        await self.traffic.stir()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TRAP_SECONDS):
                await trap.sprung.wait()
        self.scene.moments.clear()
        if not struck:
            return False
        await asyncio.sleep(late)
        await struck[0].reap()
        self._bring_back(struck[0])
        return True

    async def _fell(self, victims: list[Replica], why: str) -> None:
        """Kill one of several, or now and then all of them at once."""
        chance = self.scene.chance
        chosen = victims if chance.random() < 0.25 else [chance.choice(victims)]
        for victim in chosen:
            victim.strike(why)
        for victim in chosen:
            await victim.reap()
            self._bring_back(victim)

    async def _at_start(self) -> bool:
        victim = self.scene.chance.choice(self._running())
        await self.traffic.stir()
        victim.strike(RANDOM)
        await victim.reap()
        await victim.stillborn(self.scene.chance.uniform(0, _LONGEST_START_SECONDS))
        self._bring_back(victim)
        return True

    def _running(self) -> list[Replica]:
        return [each for each in self.scene.replicas if each.pid is not None]

    async def _until_some_run(self) -> None:
        """Wait until a replica is back: all of a single one, one of several."""
        while self._coming and (
            not self._running() or len(self._coming) == len(self.scene.replicas)
        ):
            await asyncio.wait(self._coming, return_when=asyncio.FIRST_COMPLETED)
        if self._broken:
            raise self._broken[0]

    def _bring_back(self, replica: Replica) -> None:
        """Start a replica again, some time later where others can take its work meanwhile."""
        longest = 0.3 if len(self.scene.replicas) == 1 else 8.0
        task = asyncio.create_task(_started(replica, self.scene.chance.uniform(0, longest)))
        self._coming.add(task)
        task.add_done_callback(self._came)

    def _came(self, task: asyncio.Task[None]) -> None:
        self._coming.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._broken.append(error)


async def _started(replica: Replica, after_seconds: float) -> None:
    await asyncio.sleep(after_seconds)
    struck = len(replica.kills)
    try:
        await replica.start()
    except StackError:
        # Struck again before it was ready: whoever did that starts it anew.
        if len(replica.kills) == struck:
            raise


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """The end of a run: what had been acknowledged when the product's account was read."""

    acknowledged: Mapping[Key, Acknowledged]
    account: Account


async def investigated(scene: Scene, within_seconds: float = 180.0) -> None:
    """Wait until no incident waits for its report; raises ChaosError when one does too long."""

    async def done() -> bool:
        listed = await account.lines(scene.get)
        return all(line["state"] in account.SETTLED for line in listed)

    await eventually(done, "every incident investigated", within_seconds)


async def at_rest(scene: Scene, within_seconds: float = 240.0) -> Rest:
    """Resolve everything and wait until nothing is under way.

    Raises ChaosError that names what is not at its end.
    """
    await scene.sender.resolve_all()
    left: list[str] = ["nothing was read yet"]

    async def quiet() -> Rest | None:
        # By the product's own account: an end that Alertmanager never told is found by comparison.
        left[:] = account.unsettled(await account.lines(scene.get))
        if not left and scene.ledger.quiet_seconds() < QUIET_SECONDS:
            left[:] = ["posts still come"]
        if left:
            return None
        acknowledged = dict(scene.ledger.alerts)
        found = await account.read(scene.get)
        left[:] = account.undelivered(found)
        return None if left else Rest(acknowledged=acknowledged, account=found)

    try:
        rest: Rest = await eventually(quiet, "everything at rest", within_seconds)
    except ChaosError as error:
        named = "; ".join(left[:10])
        raise ChaosError(f"{error}; {len(left)} not at their end: {named}") from None
    for replica in scene.replicas:
        replica.check()
    return rest


def verdict_on(scene: Scene, rest: Rest) -> Verdict:
    """Judge a scene at rest."""
    return judge(
        Evidence(
            acknowledged=rest.acknowledged,
            account=rest.account,
            deliveries=scene.ends.deliveries,
            calls=scene.ends.by_incident(),
            kills=scene.kills,
        )
    )


async def kill_run(scene: Scene, kills: int, tell: Callable[[str], None]) -> tuple[Killer, Verdict]:
    """Kill so many times while alerts come and go, let it come to rest, and judge."""
    killer = Killer(scene=scene, traffic=Traffic(scene=scene))
    await killer.run(kills, tell)
    for replica in scene.replicas:
        if replica.pid is None:
            await replica.start()
    await investigated(scene)
    return killer, verdict_on(scene, await at_rest(scene))
