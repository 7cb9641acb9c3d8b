"""Keeps each component running as a process of its own, but while a fault holds it down."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import structlog

log = structlog.get_logger(__name__)

READY_WITHIN_SECONDS = 30.0
TURN_WITHIN_SECONDS = 5.0
STOP_WITHIN_SECONDS = 3.0
RESTART_FIRST_SECONDS = 0.5
RESTART_MOST_SECONDS = 10.0

State = Literal["starting", "running", "down", "stopped"]


class ProcessFailedError(Exception):
    """A component's process did not do what it was told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """Where a component's code is, and which version of it is said to run."""

    module: str
    version: str


COMPONENTS: Mapping[str, Kind] = {
    "gateway": Kind(module="lab.components.gateway", version="2.3.0"),
    "chat": Kind(module="lab.components.chat", version="0.11.2"),
    "embeddings": Kind(module="lab.components.embeddings", version="1.8.1"),
    "scorer": Kind(module="lab.components.scorer", version="3.0.4"),
    "features": Kind(module="lab.components.features", version="1.4.2"),
    "load": Kind(module="lab.load", version="1.0.0"),
}
LOAD = "load"


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """What every component is started with: arguments after its name, and the environment."""

    arguments: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


class Child:
    """One process of a component, spoken to over its standard input and output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not been seen to end."""
        return self.process.returncode is None

    @staticmethod
    async def start(name: str, version: str, launch: Launch) -> Child:
        """Start a process and wait until it serves; raises ProcessFailedError when it does not."""
        command = (sys.executable, "-m", "lab.components", name, "--version", version)
        process = await asyncio.create_subprocess_exec(
            *command,
            *launch.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=dict(launch.environ),
        )
        child = Child(process)
        try:
            await child._answer(READY_WITHIN_SECONDS)
        except BaseException:
            await child.stop()
            raise
        return child

    async def turn(self, dials: Mapping[str, Any]) -> None:
        """Put the dials; raises ProcessFailedError when the process is gone or refuses them."""
        async with self._turn:
            if self.process.stdin is None or not self.alive:
                raise ProcessFailedError(f"process {self.pid} is gone")
            self.process.stdin.write(orjson.dumps(dials) + b"\n")
            if not (await self._answer(TURN_WITHIN_SECONDS)).get("turned"):
                raise ProcessFailedError(f"process {self.pid} refuses the dials {sorted(dials)}")

    async def _answer(self, within_seconds: float) -> dict[str, bool]:
        output = self.process.stdout
        if output is None:
            raise ProcessFailedError(f"process {self.pid} has no output")
        try:
            async with asyncio.timeout(within_seconds):
                line = await output.readline()
        except TimeoutError:
            raise ProcessFailedError(
                f"process {self.pid} is silent for {within_seconds:g} s"
            ) from None
        if not line:
            raise ProcessFailedError(f"process {self.pid} has ended")
        answer: dict[str, bool] = orjson.loads(line)
        return answer

    async def stop(self) -> None:
        """End the process in order, or by SIGKILL when it does not within a few seconds."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_WITHIN_SECONDS):
                await self.process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End the process by SIGKILL."""
        self._signal(signal.SIGKILL)
        await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)


class Keeper:
    """Keeps one component running with the dials it was given; restarts it when it dies."""

    def __init__(self, name: str, launch: Launch) -> None:
        self.name = name
        self.version = COMPONENTS[name].version
        self.state: State = "stopped"
        self.restarts = 0
        self._launch = launch
        self._dials: dict[str, Any] = {}
        self._child: Child | None = None
        self._change = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The id of the running process."""
        return self._child.pid if self._child is not None and self._child.alive else None

    async def start(self) -> None:
        """Start the component; raises ProcessFailedError when it does not come up."""
        async with self._change:
            await self._start()

    async def _start(self) -> None:
        self.state = "starting"
        self._child = await self._fresh()
        self.state = "running"

    async def _fresh(self) -> Child:
        child = await Child.start(self.name, self.version, self._launch)
        if self._dials:
            await child.turn(self._dials)
        return child

    async def keep(self) -> None:
        """Start the component again whenever it dies by itself, for ever."""
        pause = RESTART_FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            async with self._change:
                pause = await self._restart(pause) if self._died() else RESTART_FIRST_SECONDS

    def _died(self) -> bool:
        return self.state == "running" and self.pid is None

    async def _restart(self, pause: float) -> float:
        """Start it once; returns the pause until it is looked at again."""
        self.restarts += 1
        log.warning("component died", component=self.name, restarts=self.restarts)
        try:
            await self._start()
        except (ProcessFailedError, OSError) as error:
            self.state = "running"  # as it should be: it is tried again
            log.warning("component not started", component=self.name, reason=str(error))
            return min(2 * pause, RESTART_MOST_SECONDS)
        return RESTART_FIRST_SECONDS

    async def turn(self, dials: Mapping[str, Any]) -> None:
        """Put these dials beside those already put; they hold over restarts."""
        await self._put({**self._dials, **dials})

    async def release(self, dials: Mapping[str, Any]) -> None:
        """Put these dials back to their healthy positions."""
        await self._put({name: v for name, v in self._dials.items() if name not in dials})

    async def _put(self, dials: dict[str, Any]) -> None:
        async with self._change:
            if self._child is not None and self._child.alive:
                await self._child.turn(dials)
            self._dials = dials

    async def crash(self) -> None:
        """End the process by SIGKILL and hold it down until it is revived."""
        async with self._change:
            self.state = "down"
            if self._child is not None:
                await self._child.kill()

    async def revive(self) -> None:
        """Start the component again after a crash; nothing happens when it runs."""
        async with self._change:
            if self.state == "down":
                self.restarts += 1
                await self._start()

    async def roll(
        self, version: str, *, put: Mapping[str, Any], release: Collection[str] = ()
    ) -> None:
        """Put a process of another version in the old one's place without a gap.

        The dials to put and to release are moved before the old process goes.
        """
        async with self._change:
            before, held, old = self.version, self._dials, self._child
            kept = {name: value for name, value in held.items() if name not in release}
            self.version, self._dials = version, {**kept, **put}
            try:
                self._child = await self._fresh()
            except (ProcessFailedError, OSError):
                self.version, self._dials = before, held
                raise
            self.state = "running"
            if old is not None:
                await old.stop()

    async def stop(self) -> None:
        """Stop the component for good."""
        self.state = "stopped"
        async with self._change:
            self.state = "stopped"
            if self._child is not None:
                await self._child.stop()

    def status(self) -> dict[str, Any]:
        """Return how the component stands, for the control API."""
        return {
            "state": self.state,
            "pid": self.pid,
            "version": self.version,
            "restarts": self.restarts,
            "dials": dict(self._dials),
        }
