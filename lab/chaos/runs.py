"""The runs by name: each sets its scene, plays it, and says what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lab.chaos import hung, outages, stories, suites, upgrade
from lab.chaos import storm as storms
from lab.chaos.clock import clock
from lab.chaos.ground import LEASE_SECONDS, Database, Ground, Outcome
from lab.chaos.kills import kill_run
from lab.chaos.settings import Waits
from lab.chaos.verdict import Verdict

_MEBIBYTE = 1 << 20
_FUZZ_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much of it: the fields of the long form by default."""

    kills: int = 100
    after_ack: int = 20
    hung_alerts: int = 200
    outage_seconds: float = 60.0
    down_seconds: float = 300.0
    alerts: int = 10_000
    conditions: int = 400
    within_seconds: float = 60.0
    skew_seconds: float = 20.0
    repeats: int = 10


Tell = Callable[[str], None]
Play = Callable[[Ground, Size, Tell], Awaitable[Outcome]]


async def _kills(ground: Ground, size: Size, tell: Tell, database: Database) -> Outcome:
    async with ground.scene(f"kills-{database}", database) as scene:
        killer, verdict = await kill_run(scene, size.kills, tell)
        statuses = scene.ledger.statuses
    hits = " ".join(f"{stage} {count}" for stage, count in killer.hits.items())
    figures = {"kills": f"{killer.hits.total()} ({hits})", "answers": _counts(statuses)}
    return Outcome(verdict=verdict, figures=figures, killer=killer)


async def kills_sqlite(ground: Ground, size: Size, tell: Tell) -> Outcome:
    """Kill one responder on SQLite, again and again."""
    return await _kills(ground, size, tell, "sqlite")


async def kills_postgresql(ground: Ground, size: Size, tell: Tell) -> Outcome:
    """Kill three replicas on PostgreSQL, one or all at a time."""
    return await _kills(ground, size, tell, "postgresql")


async def after_ack(ground: Ground, size: Size, _tell: Tell) -> Outcome:
    """Kill right after the acknowledgement."""
    async with ground.scene("after-ack") as scene:
        return _survived(await hung.killed_after_ack(scene, size.after_ack), size.after_ack)


async def model_hangs(ground: Ground, size: Size, _tell: Tell) -> Outcome:
    """Hang the model, take alerts, kill, and look for all of them."""
    async with ground.scene("model-hangs") as scene:
        survived = await hung.model_hangs(scene, size.hung_alerts)
        p99, statuses = scene.ledger.quantile_seconds(0.99), scene.ledger.statuses
    outcome = _survived(survived, size.hung_alerts)
    taken = {"intake p99": _milliseconds(p99), "answers": _counts(statuses)}
    figures = {**outcome.figures, **taken}
    return Outcome(verdict=outcome.verdict, figures=figures, wrong=outcome.wrong)


def _survived(survived: hung.Survived, wanted: int) -> Outcome:
    wrong = () if survived.found >= wanted else (f"{survived.found} of {wanted} found",)
    figures = {"found again": f"{survived.found} of {survived.acknowledged}"}
    return Outcome(verdict=survived.verdict, figures=figures, wrong=wrong)


async def frozen(ground: Ground, _size: Size, tell: Tell) -> Outcome:
    """Freeze a replica past its lease at each stage, and let it go on."""
    outcomes = []
    for stage in ("acknowledged", "gather", "analyse", "deliver"):
        outcomes.append(await frozen_at(ground, stage))
        tell(f"frozen at {stage}: reported after {outcomes[-1].figures['went on after']}")
    return Outcome(
        verdict=outcomes[-1].verdict,
        wrong=tuple(fault for each in outcomes for fault in each.verdict.faults),
    )


async def frozen_at(ground: Ground, stage: str) -> Outcome:
    """Freeze a replica past its lease when it reaches a stage, and let it go on."""
    async with ground.scene(f"frozen-{stage}", "postgresql") as scene:
        return _outage(await outages.frozen(scene, stage, LEASE_SECONDS))


async def disk_full(ground: Ground, size: Size, _tell: Tell) -> Outcome:
    """Fill the disk for a while: a small file system of its own where we may mount one."""
    folder = ground.fresh("small-disk")
    mounts = await outages.may_mount(folder)
    prefix = outages.on_small_disk(folder) if mounts else ()
    database = str(folder / "vigie.db")
    async with ground.scene("disk-full", prefix=prefix, database=database) as scene:
        replica = scene.replicas[0]
        room: outages.Room = outages.Quota(replica=replica, folder=folder)
        if mounts:
            room = outages.Filler(replica=replica, folder=folder)
        outcome = _outage(await outages.disk_full(scene, room, size.outage_seconds))
    return replace(outcome, figures={**outcome.figures, "disk": room.name})


async def database_gone(ground: Ground, size: Size, _tell: Tell) -> Outcome:
    """Stop PostgreSQL for a while."""
    if ground.cluster is None:
        raise ValueError("no PostgreSQL: give the ground a cluster")
    async with ground.scene("database-gone", "postgresql") as scene:
        outage = await outages.database_gone(scene, ground.cluster, size.outage_seconds)
        return _outage(outage)


async def clock_back(ground: Ground, _size: Size, _tell: Tell) -> Outcome:
    """Put the clock back by ten minutes."""
    made = await clock(ground.fresh("clock"))
    environ = {**ground.environ, **made.environ}
    async with ground.scene("clock-back", environ=environ) as scene:
        return _outage(await outages.clock_back(scene, made))


def _outage(outage: outages.Outage) -> Outcome:
    figures = {
        "answered 503": str(outage.refused),
        "went on after": f"{outage.recovered_seconds:.1f} s",
    }
    return Outcome(verdict=outage.verdict, figures=figures)


async def storm(ground: Ground, size: Size, _tell: Tell) -> Outcome:
    """Fire thousands of alerts at once."""
    waits = Waits(group=1.0, interval=5.0)
    async with ground.scene(
        "storm", analyst="embedded", waits=waits, group_by=("target",)
    ) as scene:
        found = await storms.storm(scene, size.alerts, size.conditions, size.within_seconds)
    return Outcome(verdict=found.verdict, figures=_storm_figures(found), wrong=_storm_wrong(found))


def _storm_figures(found: storms.Storm) -> Mapping[str, str]:
    return {
        "alerts": f"{found.alerts} fired in {found.fired_seconds:.1f} s",
        "all acknowledged after": f"{found.taken_seconds:.1f} s",
        "all reported after": f"{found.reported_seconds:.1f} s",
        "intake p50, p99": f"{_milliseconds(found.intake_p50_seconds)},"
        f" {_milliseconds(found.intake_p99_seconds)}",
        "peak memory": f"{found.peak_rss_bytes / _MEBIBYTE:.0f} MiB",
        "CPU per alert": f"{found.cpu_all_seconds / found.alerts * 1000:.2f} ms until all reported,"
        f" {found.cpu_taken_seconds / found.alerts * 1000:.2f} ms until all acknowledged",
        "health": f"{found.health.red} red of {found.health.asked},"
        f" slowest {_milliseconds(found.health.slowest_seconds)}",
        "criticals overtaken": str(found.overtaken),
        "answers": _counts(found.statuses),
    }


def _storm_wrong(found: storms.Storm) -> tuple[str, ...]:
    wrong = []
    if found.health.red:
        wrong.append(f"health was red {found.health.red} times")
    if found.overtaken:
        wrong.append(f"{found.overtaken} investigations overtook a critical one")
    return tuple(wrong)


async def twins(ground: Ground, _size: Size, tell: Tell) -> Outcome:
    """Have two Alertmanagers deliver at once, gossiping and not."""
    faults: list[str] = []
    for clustered in (False, True):
        kind = "clustered" if clustered else "apart"
        async with ground.scene(f"twins-{kind}", alertmanagers=2, clustered=clustered) as scene:
            story = await stories.two_alertmanagers(scene, 8)
        tell(f"two Alertmanagers, {kind}: {len(story.account.incidents)} incidents")
        faults += story.verdict.faults
    return Outcome(verdict=story.verdict, wrong=tuple(faults))


async def restarts(ground: Ground, _size: Size, _tell: Tell) -> Outcome:
    """End Alertmanager and start it again, with its memory and without."""
    faults: list[str] = []
    for forgets in (False, True):
        async with ground.scene("restarts") as scene:
            story = await stories.alertmanager_restarts(scene, forgets=forgets)
        faults += story.verdict.faults
    return Outcome(verdict=story.verdict, wrong=tuple(faults))


async def tales(ground: Ground, size: Size, _tell: Tell) -> Outcome:
    """Skew clocks, send groups again, and refire what is being investigated."""
    faults: list[str] = []
    async with ground.scene("clocks") as scene:
        story = await stories.clocks_differ(scene, size.skew_seconds)
    faults += story.verdict.faults
    async with ground.scene("again", waits=Waits(repeat=1.0)) as scene:
        story = await stories.sent_again(scene, size.repeats)
    faults += story.verdict.faults
    async with ground.scene("refired") as scene:
        story = await stories.refires_while_investigated(scene)
    return Outcome(verdict=story.verdict, wrong=tuple(faults))


def _counts(statuses: Mapping[int, int]) -> str:
    return ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


async def upgraded(ground: Ground, _size: Size, _tell: Tell) -> Outcome:
    """Replace the last program of the first schema by today's, investigations under way."""
    old = await upgrade.unpacked(ground.fresh("old-program"), ground.environ)
    async with ground.scene("upgrade", root=old, more={}) as scene:
        return _survived(await upgrade.upgraded(scene, ground.root), len(scene.ledger.alerts))


async def outage(ground: Ground, size: Size, _tell: Tell) -> Outcome:
    """Be down while an alert fires and is over, Prometheus and all: it is seen late."""
    environ = {**ground.environ, "VIGIE_DOWN_SECONDS": f"{size.down_seconds:g}"}
    within_seconds = 3 * size.down_seconds + 300
    return await _suite(ground, "outage", suites.DOWN, environ, within_seconds)


async def fuzz(ground: Ground, _size: Size, _tell: Tell) -> Outcome:
    """Bend real posts: a million through the parser, twenty thousand over HTTP."""
    return await _suite(ground, "fuzz", suites.FUZZ, ground.environ, _FUZZ_SECONDS)


async def _suite(
    ground: Ground,
    name: str,
    tests: Sequence[str],
    environ: Mapping[str, str],
    within_seconds: float,
) -> Outcome:
    log = ground.fresh(name) / "pytest.log"
    suite = await suites.play(
        tests, root=ground.root, log=log, environ=environ, within_seconds=within_seconds
    )
    return Outcome(verdict=Verdict(), figures={"pytest": suite.said}, wrong=suite.failed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run: its name, how it is played, how long that takes, whether it needs PostgreSQL.

    `minutes` are those of its long form on two processors.
    """

    name: str
    play: Play
    minutes: float
    needs_postgresql: bool = False


RUNS = (
    Run(name="kills-sqlite", play=kills_sqlite, minutes=8),
    Run(name="kills-postgresql", play=kills_postgresql, minutes=6, needs_postgresql=True),
    Run(name="after-ack", play=after_ack, minutes=2),
    Run(name="model-hangs", play=model_hangs, minutes=3),
    Run(name="frozen", play=frozen, minutes=2, needs_postgresql=True),
    Run(name="disk-full", play=disk_full, minutes=2),
    Run(name="database-gone", play=database_gone, minutes=2, needs_postgresql=True),
    Run(name="clock-back", play=clock_back, minutes=1),
    Run(name="upgrade", play=upgraded, minutes=1),
    Run(name="outage", play=outage, minutes=6),
    Run(name="storm", play=storm, minutes=5),
    Run(name="twins", play=twins, minutes=1),
    Run(name="restarts", play=restarts, minutes=1),
    Run(name="tales", play=tales, minutes=1),
    Run(name="fuzz", play=fuzz, minutes=10),
)
