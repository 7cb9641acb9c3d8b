"""Deletes what is old, a little at a time: never what is open or still to be told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from responder.store import replicas, retention
from responder.store.engine import Connection, StoreUnavailableError
from responder.store.store import Store

log = structlog.get_logger(__name__)

T = TypeVar("T")

_LEASE = "retention"
_FIRST_PASS_SECONDS = 60.0
_BATCH = 50
_PAUSE_SECONDS = 0.05


class _NotOursError(Exception):
    """Another replica deletes just now."""


@dataclass(frozen=True, slots=True)
class Ages:
    """How long is kept what is over, and what a post looked like; how often that is looked at."""

    incidents_seconds: float
    bodies_seconds: float
    interval_seconds: float


class Forget(Protocol):
    """What deletes the runs of the workflow engine, by their ids."""

    def __call__(self, run_ids: Sequence[str]) -> Awaitable[None]:
        """Delete them; those that never were do not matter."""
        ...


class Retention:
    """One replica at a time deletes; what it frees is used again for what comes."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        store: Store,
        ages: Callable[[], Ages],
        *,
        clock: Callable[[], float],
        replica_id: str,
        forget: Forget,
        pause_seconds: float = _PAUSE_SECONDS,
        told: Callable[[int], None] = lambda _incidents: None,
    ) -> None:
        """Keep what it works with; *pause_seconds* leaves room for others between two batches."""
        self._store = store
        self._ages = ages
        self._clock = clock
        self._replica_id = replica_id
        self._forget = forget
        self._pause_seconds = pause_seconds
        self._told = told

    async def run(self) -> None:
        """Delete what is old, again and again, for ever."""
        await asyncio.sleep(min(_FIRST_PASS_SECONDS, self._ages().interval_seconds))
        while True:
            try:
                await self.once()
            except StoreUnavailableError as error:
                log.warning("nothing old deleted", problem=str(error))
            await asyncio.sleep(self._ages().interval_seconds)

    async def once(self) -> int:
        """Delete all that is old now; give the number of incidents among it."""
        ages, now = self._ages(), self._clock()
        old, old_body = now - ages.incidents_seconds, now - ages.bodies_seconds
        try:
            count = await self._incidents(old)
            await self._all(lambda database: retention.empty_bodies(database, old_body, _BATCH))
            await self._all(lambda database: retention.delete_changes(database, old, _BATCH))
            await self._all(lambda database: retention.delete_deliveries(database, old, _BATCH))
        except _NotOursError:
            return 0
        await self._store.write(
            lambda database: replicas.give_back(database, _LEASE, self._replica_id)
        )
        self._told(count)
        if count:
            log.info("old incidents deleted", incidents=count)
        return count

    async def _incidents(self, before: float) -> int:
        count = 0
        while (deleted := await self._batch(before)) is not None:
            count += deleted
            await asyncio.sleep(self._pause_seconds)
        return count

    async def _batch(self, before: float) -> int | None:
        """Delete some incidents; give how many, None when there are no more."""

        def found(connection: Connection) -> tuple[Sequence[str], Sequence[str]]:
            old = retention.expired(connection, before, _BATCH)
            return old, retention.runs_of(connection, old)

        old, runs = await self._held(found)
        if not old:
            return None
        # First: without their incident nothing would ever name them again.
        await self._forget(runs)
        return await self._held(lambda database: _deleted(database, old, before))

    async def _all(self, delete: Callable[[Connection], int]) -> None:
        count = _BATCH
        while count == _BATCH:
            count = await self._held(delete)
            await asyncio.sleep(self._pause_seconds)

    async def _held(self, job: Callable[[Connection], T]) -> T:
        def held(connection: Connection) -> T:
            if not replicas.hold(connection, _LEASE, self._replica_id):
                raise _NotOursError
            return job(connection)

        return await self._store.write(held)


def _deleted(connection: Connection, found: Sequence[str], before: float) -> int:
    """Delete those of *found* that are still to go: one may have been reopened meanwhile."""
    still = set(retention.expired(connection, before, len(found)))
    chosen = [each for each in found if each in still]
    retention.delete(connection, chosen)
    return len(chosen)
