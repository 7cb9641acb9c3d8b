"""The responder's processes: started, struck down by their pid, started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.chaos.front import Backend
from lab.stack.errors import StackError
from lab.stack.process import Launch, Process

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    """One SIGKILL: which replica, when by our clock, and what it was set on."""

    replica: str
    at: float
    why: str


@dataclass(kw_only=True, slots=True)
class Replica:
    """One responder process; `kills` are those that hit it while it ran.

    `root` is the folder of the code that it runs, `prefix` a command that runs another one.
    """

    name: str
    address: str
    folder: Path
    environ: Mapping[str, str]
    root: Path = ROOT
    prefix: Sequence[str] = ()
    is_paused: bool = False
    kills: list[Kill] = field(default_factory=list)
    starts: int = 0
    _process: Process | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.address}"

    @property
    def backend(self) -> Backend:
        """Give it as the front knows it."""
        return Backend(name=self.name, url=self.url)

    @property
    def log(self) -> Path:
        """Where its output goes, of all its lives."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self, within_seconds: float = START_SECONDS) -> None:
        """Start it and wait until it is ready; raises StackError."""
        self.starts += 1
        self._process = Process(
            Launch(
                name=self.name,
                argv=(
                    *self.prefix,
                    sys.executable,
                    "-m",
                    "responder",
                    f"--config.file={self.folder / self.name}.yml",
                    f"--web.listen-address={self.address}",
                ),
                folder=self.folder,
                log=self.log,
                ready_url=f"{self.url}/-/ready",
                environ={**self.environ, "PYTHONPATH": str(self.root)},
            )
        )
        await self._process.start(within_seconds)

    def strike(self, why: str) -> None:
        """Kill it this instant."""
        pid = self.pid
        if pid is None:
            return
        self.kills.append(Kill(replica=self.name, at=time.time(), why=why))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    async def reap(self) -> None:
        """Wait until it is gone after a strike."""
        if self._process is not None:
            await self._process.kill()

    async def stillborn(self, after_seconds: float) -> None:
        """Start it and kill it so soon after that it may not be ready yet."""
        starting = asyncio.create_task(self.start())
        await asyncio.sleep(after_seconds)
        self.strike("starting")
        with contextlib.suppress(StackError):
            await starting
        await self.reap()

    def pause(self) -> None:
        """Stop it where it is, as a frozen machine would be; noted among the kills."""
        if self.pid is not None:
            self.kills.append(Kill(replica=self.name, at=time.time(), why="paused"))
            self.is_paused = True
            os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self.is_paused = False
        if self.pid is not None:
            os.kill(self.pid, signal.SIGCONT)

    async def stop(self) -> None:
        """Stop it in order, however it stands."""
        self.go_on()
        if self._process is not None and self.pid is not None:
            await self._process.stop()
            self.kills.append(Kill(replica=self.name, at=time.time(), why="stopped"))

    def check(self) -> None:
        """Raise StackError when it ended and nobody struck it."""
        if self._process is not None:
            self._process.check()

    def cpu_seconds(self) -> float:
        """Give its CPU time so far (proc(5), utime and stime), 0 when it does not run."""
        fields = self._proc("stat").rpartition(")")[2].split()
        if not fields:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_rss_bytes(self) -> int:
        """Give the most memory it has held (proc(5), VmHWM)."""
        for line in self._proc("status").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def _proc(self, name: str) -> str:
        try:
            return Path(f"/proc/{self.pid}/{name}").read_text(encoding="utf-8")
        except OSError:
            return ""
