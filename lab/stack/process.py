"""One program in the background: started, awaited until ready, watched, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from lab.stack.command import tail
from lab.stack.errors import StackError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence
    from pathlib import Path

READY_SECONDS = 60.0
STOP_SECONDS = 10.0

_POLL_SECONDS = 0.05
_ASK_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """How a program that serves HTTP is started, and where it tells that it is ready.

    `log` gets its output, appended; `folder` is its working directory; `environ` None hands on
    this process's own; `tls` is how a readiness address over TLS is trusted.
    """

    name: str
    argv: Sequence[str]
    log: Path
    ready_url: str
    folder: Path | None = None
    environ: Mapping[str, str] | None = None
    tls: ssl.SSLContext | bool = True


class Process:
    """A program in the background.

    It ends with this process, however this process ends, where the machine has `setpriv`. Ctrl-C
    does not reach it: whoever started it stops it, so that things end in order.
    """

    def __init__(self, launch: Launch) -> None:
        """Describe it; nothing starts yet."""
        self.launch = launch
        self._process: asyncio.subprocess.Process | None = None
        self._ended_here = False

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self, within_seconds: float = READY_SECONDS) -> None:
        """Start it and wait until its readiness address answers 200.

        Raises StackError with the log's tail when it exits or is not ready in time; it is stopped
        then.
        """
        self._ended_here = False
        with self.launch.log.open("ab") as output:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *_bound_to_parent(),
                    *self.launch.argv,
                    cwd=self.launch.folder,
                    env=self.launch.environ,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                problem = f"cannot start {self.launch.argv[0]}: {error.strerror}"
                raise StackError(
                    self.launch.name, problem, "python -m lab.stack gets it"
                ) from error
        try:
            async with asyncio.timeout(within_seconds):
                await self._until_ready()
        except TimeoutError:
            await self.stop()
            problem = f"not ready within {within_seconds:g} s"
            raise StackError(
                self.launch.name, problem, self._see_log(), output=tail(self.launch.log)
            ) from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self, within_seconds: float = STOP_SECONDS) -> None:
        """End it with SIGTERM, and with SIGKILL when it is still there after the deadline."""
        await self._end(signal.SIGTERM, within_seconds)
        await self._end(signal.SIGKILL, within_seconds)

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        await self._end(signal.SIGKILL, STOP_SECONDS)

    def check(self) -> None:
        """Raise StackError, with the log's tail, when it ended and nobody here ended it."""
        process = self._process
        if process is None or process.returncode is None or self._ended_here:
            return
        problem = f"ended by itself with {_status(process.returncode)}"
        raise StackError(self.launch.name, problem, self._see_log(), output=tail(self.launch.log))

    async def watch(self) -> None:
        """Wait until it ends; raises StackError as `check` does when it ended by itself."""
        if self._process is not None:
            await self._process.wait()
        self.check()

    async def _until_ready(self) -> None:
        timeout = aiohttp.ClientTimeout(total=_ASK_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                self.check()
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(self.launch.ready_url, ssl=self.launch.tls) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(_POLL_SECONDS)

    async def _end(self, number: signal.Signals, within_seconds: float) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._ended_here = True
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await process.wait()

    def _see_log(self) -> str:
        return f"see {self.launch.log}"


def _bound_to_parent() -> tuple[str, ...]:
    """Have the kernel end the program when this process is killed, where util-linux can ask it."""
    setpriv = shutil.which("setpriv", path="/usr/bin:/bin")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def _status(code: int) -> str:
    if code >= 0:
        return f"status {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
