"""This process among its replicas: its own id at each start, and its heartbeat."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Callable

import structlog

from responder.store import replicas, work
from responder.store.engine import Connection, StoreUnavailableError
from responder.store.replicas import Presence
from responder.store.store import Store

log = structlog.get_logger(__name__)

_STOP_SECONDS = 2.0
_AGAIN_SECONDS = 0.5
_LOOK_SECONDS = 0.5
_LOOK_ALONE_SECONDS = 30.0
_FORGOTTEN_AFTER_SECONDS = 24 * 3600.0


def replica_id() -> str:
    """Give an id that no process had before: what a dead one held is never taken for ours."""
    return uuid.uuid4().hex[:16]


def new_presence(name: str, version: str, dead_after_seconds: float) -> Presence:
    """Give a new start of the program; a *name* that begins with its port gets the host's."""
    whole = f"{socket.gethostname()}{name}" if name.startswith(":") else name
    return Presence(
        id=replica_id(), name=whole, version=version, dead_after_seconds=dead_after_seconds
    )


class Replica:
    """Keeps this process on the list of those that are alive, for the time of its supervisor."""

    def __init__(
        self,
        store: Store,
        presence: Presence,
        *,
        heartbeat_seconds: float,
        woken: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep what it works with; *woken* is called when it had been held for dead."""
        self.presence = presence
        self._store = store
        self._heartbeat_seconds = heartbeat_seconds
        self._woken = woken

    @property
    def id(self) -> str:
        """This process's own id."""
        return self.presence.id

    @property
    def is_alone(self) -> bool:
        """Whether no other replica can share the database, which is then a file."""
        return self._store.workflows_url.startswith("sqlite")

    @property
    def look_every_seconds(self) -> float:
        """How often to look for work that nobody here was told of: in a file there is none."""
        return _LOOK_ALONE_SECONDS if self.is_alone else _LOOK_SECONDS

    async def arrive(self) -> None:
        """Be on the list before anything is claimed; raises StoreUnavailableError."""
        await self._store.write(self._beat)

    async def run(self) -> None:
        """Say that this process is alive, for ever."""
        pause_seconds = self._heartbeat_seconds
        while True:
            await asyncio.sleep(pause_seconds)
            pause_seconds = self._heartbeat_seconds
            try:
                was_alive = await self._store.write(self._beat)
            except StoreUnavailableError as error:
                log.warning("heartbeat not stored", problem=str(error))
                # When the database is back, the others must soon see that this one is, too.
                pause_seconds = min(_AGAIN_SECONDS, self._heartbeat_seconds)
                continue
            if not was_alive:
                log.warning("held for dead meanwhile", replica=self.id)
                self._woken()

    async def leave(self) -> None:
        """Give back work and leases, so that the others need not wait for our death."""

        def leave(connection: Connection) -> int:
            given_back = work.release(connection, self.id)
            replicas.leave(connection, self.id)
            return given_back

        try:
            async with asyncio.timeout(_STOP_SECONDS):
                count = await self._store.write(leave)
        except (StoreUnavailableError, TimeoutError) as error:
            log.warning("work not given back", problem=str(error))
            return
        log.info("work given back", replica=self.id, investigations=count)

    def _beat(self, connection: Connection) -> bool:
        was_alive = self.id in replicas.alive(connection)
        replicas.beat(connection, self.presence)
        replicas.bury(connection, _FORGOTTEN_AFTER_SECONDS)
        return was_alive
