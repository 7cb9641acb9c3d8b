"""What fails around the replicas: the disk, the database, the clock, and a machine that freezes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.chaos.alerts import Condition
from lab.chaos.clock import Clock
from lab.chaos.kills import at_rest, investigated, verdict_on
from lab.chaos.replicas import Replica
from lab.chaos.scene import ChaosError, Scene, eventually
from lab.chaos.verdict import Verdict

TEN_MINUTES_SECONDS = 600
DISK_BYTES = 16 << 20
_CHUNK_BYTES = 64 << 10


class Cluster(Protocol):
    """A database server that can be stopped and started."""

    def stop(self) -> None:
        """Stop it; blocks."""

    def start(self) -> None:
        """Start it and wait until it answers; blocks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """What came of one: the refusals while it lasted, and how soon work went on after it."""

    verdict: Verdict
    refused: int
    recovered_seconds: float


def on_small_disk(folder: Path) -> tuple[str, ...]:
    """Give a command that runs another with a small file system of its own on *folder*."""
    mount = f'mount -t tmpfs -o size={DISK_BYTES} tmpfs "$0" && exec "$@"'
    return ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(folder))


async def may_mount(folder: Path) -> bool:
    """Tell whether this machine lets us mount a file system of our own."""
    try:
        process = await asyncio.create_subprocess_exec(
            *on_small_disk(folder), "true", stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return False
    return await process.wait() == 0


class Room(Protocol):
    """What can be taken from a replica, and given back; `name` says what it is."""

    @property
    def name(self) -> str:
        """What stands for the disk."""

    def fill(self) -> None:
        """Take all the room there is."""

    def free(self) -> None:
        """Give it back."""


@dataclass(kw_only=True, slots=True)
class Quota:
    """Lets no file of a replica grow beyond its database's journal (setrlimit(2), RLIMIT_FSIZE)."""

    replica: Replica
    folder: Path
    name: str = "a quota on the size of files (RLIMIT_FSIZE)"

    def fill(self) -> None:
        """Take all the room there is."""
        files = (*self.folder.iterdir(), self.replica.log)
        self._limit(max(file.stat().st_size for file in files) + _CHUNK_BYTES)

    def free(self) -> None:
        """Give it back."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size_bytes: int) -> None:
        if self.replica.pid is not None:
            limits = (size_bytes, resource.RLIM_INFINITY)
            resource.prlimit(self.replica.pid, resource.RLIMIT_FSIZE, limits)


@dataclass(kw_only=True, slots=True)
class Filler:
    """Fills the file system that a replica sees at a folder, to the last byte."""

    replica: Replica
    folder: Path
    name: str = f"a file system of {DISK_BYTES >> 20} MiB (tmpfs)"

    @property
    def file(self) -> Path:
        """The file that takes the room, as it is reached from outside."""
        return Path(f"/proc/{self.replica.pid}/root{self.folder}/filler")

    def fill(self) -> None:
        """Take all the room there is."""
        with contextlib.suppress(OSError), self.file.open("ab", buffering=0) as file:
            for size in (_CHUNK_BYTES, 4096, 1):
                self._write(file.write, b"\0" * size)

    def free(self) -> None:
        """Give it back."""
        self.file.unlink()

    @staticmethod
    def _write(write: Callable[[bytes], object], chunk: bytes) -> None:
        try:
            while True:
                write(chunk)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


async def disk_full(scene: Scene, room: Room, last_seconds: float = 5.0) -> Outage:
    """Fill the disk under a replica while alerts come, and give it back."""

    async def full() -> None:
        room.fill()

    async def over() -> None:
        room.free()

    return await _through(scene, full, over, last_seconds)


async def database_gone(scene: Scene, cluster: Cluster, last_seconds: float = 5.0) -> Outage:
    """Stop the database server while alerts come, and start it again."""

    async def gone() -> None:
        await asyncio.to_thread(cluster.stop)

    async def back() -> None:
        # On this thread: the server ends with the thread that started it.
        cluster.start()

    return await _through(scene, gone, back, last_seconds)


async def _through(
    scene: Scene,
    begin: Callable[[], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
    last_seconds: float,
) -> Outage:
    """Fire before, during and after; what was acknowledged must be there in the end."""
    conditions = (Condition(target=f"outage-{n}", alerts=3) for n in itertools.count())
    await _acknowledged(scene, next(conditions))
    before = _refused(scene)
    await begin()
    deadline = time.monotonic() + last_seconds
    while time.monotonic() < deadline or _refused(scene) == before:
        await scene.sender.fire(next(conditions))
        await asyncio.sleep(0.3)
        if time.monotonic() > deadline + 30:
            raise ChaosError(f"outage: nothing was refused in {last_seconds + 30:g} s")
    refused = _refused(scene) - before
    await end()
    ended = time.monotonic()
    await _acknowledged(scene, next(conditions))
    recovered = time.monotonic() - ended
    await investigated(scene)
    verdict = verdict_on(scene, await at_rest(scene))
    return Outage(verdict=verdict, refused=refused, recovered_seconds=recovered)


def _refused(scene: Scene) -> int:
    return int(scene.ledger.statuses[503])


async def _acknowledged(scene: Scene, condition: Condition) -> None:
    await scene.sender.fire(condition)

    async def taken() -> bool:
        targets = (entry.labels["target"] for entry in scene.ledger.alerts.values())
        return condition.target in targets

    await eventually(taken, f"an acknowledgement of {condition.target}")


async def clock_back(scene: Scene, clock: Clock) -> Outage:
    """Put the replicas' clock back by ten minutes while incidents wait, are looked at, delivered.

    `recovered_seconds` is how long it took until what was under way had its reports.
    """
    before = [Condition(target=f"early-{n}", severity="warning") for n in range(4)]
    scene.ends.sink_status = 503
    await _acknowledged(scene, before[0])

    async def deliveries() -> bool:
        return scene.moments.seen["deliver"] > 0

    await eventually(deliveries, "a message that is put off")
    for condition in before[1:]:
        await _acknowledged(scene, condition)
    clock.shift(-TEN_MINUTES_SECONDS)
    stepped = time.monotonic()
    scene.ends.sink_status = 200
    await _acknowledged(scene, Condition(target="late", severity="critical"))

    async def reported() -> bool:
        about = {target for each in scene.ends.deliveries for target in _targets(each.body)}
        return {*(each.target for each in before), "late"} <= about

    await eventually(reported, "the reports of what was under way")
    recovered = time.monotonic() - stepped
    verdict = verdict_on(scene, await at_rest(scene))
    return Outage(verdict=verdict, refused=_refused(scene), recovered_seconds=recovered)


def _targets(body: dict[str, dict[str, list[str]]]) -> list[str]:
    return body["incident"]["targets"]


async def frozen(scene: Scene, stage: str, lease_seconds: float) -> Outage:
    """Stop a replica at *stage* until others took its work over, and let it go on.

    `recovered_seconds` is how long after the freeze the report of its incident came.
    """
    stopped: list[Replica] = []

    def strike(name: str) -> None:
        replica = scene.replica(name)
        replica.pause()
        stopped.append(replica)

    trap = scene.moments.set(stage, strike)
    condition = Condition(target=f"frozen-at-{stage}", severity="critical", alerts=2)
    await scene.sender.fire(condition)
    async with asyncio.timeout(60):
        await trap.sprung.wait()
    began = time.monotonic()

    async def told() -> bool:
        about = (target for each in scene.ends.deliveries for target in _targets(each.body))
        return condition.target in about

    await eventually(told, f"a report in spite of a replica frozen at {stage}")
    recovered = time.monotonic() - began
    await asyncio.sleep(max(0.0, lease_seconds - recovered) + 1)
    stopped[0].go_on()
    await asyncio.sleep(2)
    verdict = verdict_on(scene, await at_rest(scene))
    return Outage(verdict=verdict, refused=_refused(scene), recovered_seconds=recovered)
