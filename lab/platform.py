"""The whole lab for as long as an `async with` lasts, and a client of its control API."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

from lab.addresses import SHIPPED
from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process

ROOT = Path(__file__).resolve().parent.parent
CONTROL = "lab:8090"
READY_WITHIN_SECONDS = 60.0
# A rollout starts a process and posts a change; both have deadlines of their own within this.
ANSWER_WITHIN_SECONDS = 45.0


class LabError(Exception):
    """The control API refused what was asked of it."""


class Platform:
    """`python -m lab` as one tree of processes, in a process group of its own.

    `addresses` maps compose names (`chat:8000`) to `host:port`; those of others are ignored, and
    where one of the lab's is missing a free port is chosen. `folder` gets the log, `certs_folder`
    the authority's `ca.pem` (`folder`/certs when not given).
    """

    def __init__(  # noqa: PLR0913 - each is a flag of the program, with a default
        self,
        *,
        addresses: Mapping[str, str],
        folder: Path,
        certs_folder: Path | None = None,
        changes_to: str | None = None,
        changes_token_file: Path | None = None,
        changes_every_seconds: float = 60.0,
        day_seconds: float = 1800.0,
        load: bool = True,
    ) -> None:
        """Describe it; nothing starts before `async with`."""
        self.folder = folder.absolute()
        self.certs_folder = (certs_folder or folder / "certs").absolute()
        given = {name: addresses[name] for name in SHIPPED if name in addresses}
        missing = [name for name in SHIPPED if name not in given]
        self.addresses: Mapping[str, str] = given | free_addresses(missing)
        flags = [
            f"--certs-dir={self.certs_folder}",
            f"--changes-every={changes_every_seconds}",
            f"--day-seconds={day_seconds}",
            *(f"--address={name}={address}" for name, address in self.addresses.items()),
        ]
        if changes_to is not None:
            flags.append(f"--changes-to={changes_to}")
        if changes_token_file is not None:
            flags.append(f"--changes-token-file={changes_token_file.absolute()}")
        if not load:
            flags.append("--no-load")
        self._process = Process(
            Launch(
                name="lab",
                argv=(sys.executable, "-m", "lab", *flags),
                folder=ROOT,
                log=self.folder / "lab.log",
                ready_url=f"{self.url(CONTROL)}/healthz",
            )
        )
        self._session: aiohttp.ClientSession | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the lab while it runs."""
        return self._process.pid

    def url(self, name: str, scheme: str = "http") -> str:
        """Where the component of a compose name really is."""
        return f"{scheme}://{self.addresses[name]}"

    async def __aenter__(self) -> Self:
        """Start it and wait until every component serves; raises StackError when one does not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await self._process.start(READY_WITHIN_SECONDS)
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_SECONDS)
        self._session = aiohttp.ClientSession(self.url(CONTROL), timeout=timeout)
        return self

    async def __aexit__(self, *reason: object) -> None:
        """Stop it in order, and kill what is left of its process group."""
        group = self._process.pid
        if self._session is not None:
            await self._session.close()
        await self._process.stop()
        if group is not None:
            # The lab leads a session of its own: only what it started is in its group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)

    def check(self) -> None:
        """Raise StackError, with the log's tail, when the lab has ended by itself."""
        self._process.check()

    async def set_fault(self, name: str) -> dict[str, Any]:
        """Set a fault; returns its `fault`, `component`, `cause_kind` and `onset` (Unix seconds).

        Raises LabError when the lab does not know it or cannot set it.
        """
        return await self._ask("PUT", f"/faults/{name}")

    async def clear_fault(self, name: str) -> dict[str, Any]:
        """Put a fault right; one that is not set is no error. Raises as `set_fault` does."""
        return await self._ask("DELETE", f"/faults/{name}")

    async def faults(self) -> list[dict[str, Any]]:
        """Return every fault with its truth, and its onset where it is set."""
        listed: list[dict[str, Any]] = (await self._ask("GET", "/faults"))["faults"]
        return listed

    async def status(self) -> dict[str, Any]:
        """Return how the components and faults stand."""
        return await self._ask("GET", "/status")

    async def changes(self) -> list[dict[str, Any]]:
        """Return the last changes, each with whether it was delivered."""
        listed: list[dict[str, Any]] = (await self._ask("GET", "/changes"))["changes"]
        return listed

    async def _ask(self, method: str, path: str) -> dict[str, Any]:
        if self._session is None:
            raise LabError(f"lab: {method} {path}: not started; enter the platform first")
        try:
            async with self._session.request(method, path) as response:
                body: dict[str, Any] = await response.json()
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise LabError(
                f"lab: {method} {path}: {type(error).__name__}; see {self.folder / 'lab.log'}"
            ) from error
        if response.status != 200:
            raise LabError(f"lab: {method} {path}: {body.get('error')}")
        return body
