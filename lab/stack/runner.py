"""Runs a real Prometheus and Alertmanager with the shipped configuration, on free ports."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from lab.stack.catalogue import STACK
from lab.stack.configuration import ALERTMANAGER_FILE, PROMETHEUS_FILE, lay_out
from lab.stack.errors import StackError
from lab.stack.ports import free_addresses
from lab.stack.process import READY_SECONDS, STOP_SECONDS, Launch, Process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from lab.stack.configuration import Fit, Shipped

PROMETHEUS = "prometheus:9090"
ALERTMANAGER = "alertmanager:9093"

_CHECK_SECONDS = 60.0
_RESEND_DELAY_MS = 60_000


class Stack:
    """Prometheus and Alertmanager for as long as the `async with` lasts.

    `programs` gives the paths of prometheus, promtool, alertmanager and amtool. `folder` gets the
    configuration, data/ and log/, and is left there. `fit.addresses` maps `name:port` of the
    shipped files to where these listen; the two servers' own are chosen here where it has none.
    Both configurations go through their own checkers before anything starts.
    """

    def __init__(
        self,
        *,
        programs: Mapping[str, Path],
        folder: Path,
        shipped: Shipped,
        fit: Fit,
    ) -> None:
        """Describe it; nothing is written or started before `async with`."""
        missing = [name for name in STACK if name not in programs]
        if missing:
            problem = f"no path for {', '.join(missing)}"
            raise StackError("stack", problem, "python -m lab.stack gets all four")
        own = free_addresses((PROMETHEUS, ALERTMANAGER))
        self.addresses: Mapping[str, str] = own | dict(fit.addresses)
        self.folder = folder.absolute()
        self._programs = programs
        self._shipped = shipped
        self._fit = replace(fit, addresses=self.addresses)
        self.prometheus = self._process("prometheus", self.prometheus_url, self._prometheus_flags())
        self.alertmanager = self._process(
            "alertmanager", self.alertmanager_url, self._alertmanager_flags()
        )

    @property
    def prometheus_url(self) -> str:
        """Where Prometheus listens, without a slash at the end."""
        return f"http://{self.addresses[PROMETHEUS]}"

    @property
    def alertmanager_url(self) -> str:
        """Where Alertmanager listens, without a slash at the end."""
        return f"http://{self.addresses[ALERTMANAGER]}"

    async def __aenter__(self) -> Self:
        """Write, check and start everything; raises StackError, with nothing left running."""
        for name in ("log", "data"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        lay_out(self._shipped, self._fit, self.folder)
        await self._validate()
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop both; raises StackError when one had ended by itself and no error is on its way."""
        await self.stop()
        if error is None:
            self.check()

    async def start(self, within_seconds: float = READY_SECONDS) -> None:
        """Start both and wait until both are ready."""
        # Alertmanager first: Prometheus's first alerts then find it.
        await self.alertmanager.start(within_seconds)
        await self.prometheus.start(within_seconds)

    async def stop(self, within_seconds: float = STOP_SECONDS) -> None:
        """End both, each by SIGTERM, by SIGKILL after the deadline."""
        await asyncio.gather(
            self.prometheus.stop(within_seconds), self.alertmanager.stop(within_seconds)
        )

    def check(self) -> None:
        """Raise StackError, with the log's tail, when one has ended by itself."""
        self.prometheus.check()
        self.alertmanager.check()

    async def watch(self) -> None:
        """Wait until one ends by itself, and raise StackError then; returns when both are stopped.

        For a caller that wants to hear of it at once, in a task of its own.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self.prometheus.watch())
            group.create_task(self.alertmanager.watch())

    async def _validate(self) -> None:
        await self._checked("promtool", "check", "config", PROMETHEUS_FILE)
        await self._checked("amtool", "check-config", ALERTMANAGER_FILE)

    async def _checked(self, name: str, *arguments: str) -> None:
        where = f"{name} {' '.join(arguments)}"
        try:
            process = await asyncio.create_subprocess_exec(
                str(self._programs[name]),
                *arguments,
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            problem = f"cannot start: {error.strerror}"
            raise StackError(where, problem, "python -m lab.stack gets it") from error
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            problem = f"not done within {_CHECK_SECONDS:g} s"
            raise StackError(where, problem, "try again with less load on the machine") from None
        except BaseException:
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            problem = f"refuses the configuration in {self.folder}"
            text = output.decode(errors="replace")
            raise StackError(where, problem, "correct what it names", output=text)

    def _process(self, name: str, url: str, flags: tuple[str, ...]) -> Process:
        launch = Launch(
            name=name,
            argv=(str(self._programs[name]), *flags),
            folder=self.folder,
            log=self.folder / "log" / f"{name}.log",
            ready_url=f"{url}/-/ready",
        )
        return Process(launch)

    # Flags that Prometheus 2.42 and 3.x, Alertmanager 0.25 and 0.31 all take.

    def _prometheus_flags(self) -> tuple[str, ...]:
        return (
            f"--config.file={PROMETHEUS_FILE}",
            f"--web.listen-address={self.addresses[PROMETHEUS]}",
            f"--web.external-url={self.prometheus_url}",
            "--web.enable-lifecycle",
            "--storage.tsdb.path=data/prometheus",
            # Its default, a minute, scaled as all else: what it sends before it has discovered
            # Alertmanager is lost until then.
            f"--rules.alert.resend-delay={_RESEND_DELAY_MS / self._fit.factor:.0f}ms",
        )

    def _alertmanager_flags(self) -> tuple[str, ...]:
        return (
            f"--config.file={ALERTMANAGER_FILE}",
            f"--web.listen-address={self.addresses[ALERTMANAGER]}",
            f"--web.external-url={self.alertmanager_url}",
            "--storage.path=data/alertmanager",
            # Empty: no gossip, hence no second port.
            "--cluster.listen-address=",
        )
