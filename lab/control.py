"""The lab's control: starts the components, keeps the faults set, and serves the control API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import web

from lab.changes import ChangeLog
from lab.faults import FAULTS, Fault, Levers
from lab.processes import COMPONENTS, LOAD, Keeper, Launch, ProcessFailedError
from lab.serving import json_response, plain_error
from lab.truth import Truth
from toolkit.lifecycle import Supervisor

log = structlog.get_logger(__name__)


class UnknownFaultError(Exception):
    """No fault has this name."""


@dataclass(kw_only=True, slots=True)
class Lab:
    """The whole platform: its components, its change log, and the faults set in it."""

    levers: Levers
    truth: Mapping[str, Truth]
    faults: Mapping[str, Fault] = field(default_factory=lambda: FAULTS)
    ready: bool = False
    _onsets: dict[str, float] = field(default_factory=dict)
    _change: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Start the components side by side, then their users; raises ProcessFailedError."""
        keepers = dict(self.levers.keepers)
        load = keepers.pop(LOAD, None)
        try:
            async with asyncio.TaskGroup() as group:
                for keeper in keepers.values():
                    group.create_task(keeper.start())
        except ExceptionGroup as group_of_failures:
            raise group_of_failures.exceptions[0] from None
        if load is not None:
            await load.start()
        self.ready = True

    async def stop(self) -> None:
        """Stop every component, the load first, so that nobody is left in the middle."""
        self.ready = False
        if load := self.levers.keepers.get(LOAD):
            await load.stop()
        await asyncio.gather(*(keeper.stop() for keeper in self.levers.keepers.values()))

    async def set(self, name: str) -> dict[str, Any]:
        """Set a fault and return its truth with its onset; one that is set stays as it is.

        Raises UnknownFaultError, and ProcessFailedError when a component does not do as told.
        """
        fault = self._find(name)
        async with self._change:
            if name not in self._onsets:
                self._onsets[name] = round(await fault.set(self.levers), 3)
                log.info("fault set", fault=name)
        return self._told(name)

    async def clear(self, name: str) -> dict[str, Any]:
        """Put a fault right; raises as `set` does."""
        fault = self._find(name)
        async with self._change:
            if name in self._onsets:
                await fault.clear(self.levers)
                del self._onsets[name]
                log.info("fault cleared", fault=name)
        return {"fault": name, "cleared": round(self.levers.clock(), 3)}

    def _find(self, name: str) -> Fault:
        if name not in self.faults or name not in self.truth:
            raise UnknownFaultError(name)
        return self.faults[name]

    def _told(self, name: str) -> dict[str, Any]:
        truth = self.truth[name]
        return {
            "fault": name,
            "component": truth.component,
            "cause_kind": truth.cause_kind,
            "onset": self._onsets.get(name),
        }

    def catalogue(self) -> list[dict[str, Any]]:
        """Return every fault with its truth, and its onset where it is set."""
        return [
            {**truth.model_dump(mode="json"), "onset": self._onsets.get(name)}
            for name, truth in self.truth.items()
            if name in self.faults
        ]

    def status(self) -> dict[str, Any]:
        """Return how the components and faults stand."""
        return {
            "ready": self.ready,
            "components": {n: k.status() for n, k in self.levers.keepers.items()},
            "faults": [self._told(name) for name in self._onsets],
        }


def build(launch: Launch, changes: ChangeLog, truth: Mapping[str, Truth], *, load: bool) -> Lab:
    """Return a lab that has not started; without `load` nobody uses it."""
    names = [name for name in COMPONENTS if load or name != LOAD]
    keepers = {name: Keeper(name, launch) for name in names}
    return Lab(levers=Levers(keepers=keepers, changes=changes), truth=truth)


@asynccontextmanager
async def running(lab: Lab, changes_every_seconds: float) -> AsyncIterator[None]:
    """Start the lab, keep it up and post harmless changes while it runs, stop it at the end."""
    try:
        await lab.start()
        async with Supervisor(stop_within_seconds=1) as supervisor:
            for name, keeper in lab.levers.keepers.items():
                supervisor.spawn(f"keep {name}", keeper.keep)
            supervisor.spawn("changes", lab.levers.changes.harmless, changes_every_seconds)
            yield
    finally:
        await lab.stop()


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """The routes of the control API."""

    lab: Lab

    async def faults(self, _request: web.Request) -> web.StreamResponse:
        """List every fault with its truth."""
        return json_response({"faults": self.lab.catalogue()})

    async def set(self, request: web.Request) -> web.StreamResponse:
        """Set the fault in the path."""
        return await _answered(self.lab.set, request.match_info["name"])

    async def clear(self, request: web.Request) -> web.StreamResponse:
        """Put the fault in the path right."""
        return await _answered(self.lab.clear, request.match_info["name"])

    async def status(self, _request: web.Request) -> web.StreamResponse:
        """Say how all stands."""
        return json_response(self.lab.status())

    async def changes(self, _request: web.Request) -> web.StreamResponse:
        """List the last changes and whether they were delivered."""
        return json_response({"changes": list(self.lab.levers.changes.entries)})

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Answer 200 once every component has been started."""
        return json_response({"ready": self.lab.ready}, 200 if self.lab.ready else 503)

    def application(self) -> web.Application:
        """Return the control API as an application."""
        app = web.Application(client_max_size=65536)
        app.router.add_get("/faults", self.faults)
        app.router.add_put("/faults/{name}", self.set)
        app.router.add_delete("/faults/{name}", self.clear)
        app.router.add_get("/status", self.status)
        app.router.add_get("/changes", self.changes)
        app.router.add_get("/healthz", self.health)
        return app


async def _answered(act: Callable[[str], Any], name: str) -> web.Response:
    try:
        return json_response(await act(name))
    except UnknownFaultError:
        text = f"fault {name[:80]!r} is not known; GET /faults lists them"
        return json_response(plain_error(404, text), 404)
    except (ProcessFailedError, OSError) as error:
        log.warning("fault not moved", fault=name[:80], reason=str(error))
        return json_response(plain_error(503, f"{name[:80]}: {error}"), 503)
