"""Deletes what is old, a little at a time: never what is open or still to be told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import structlog

from responder.store import patrol, replicas, retention, spending
from responder.store.engine import Connection, StoreUnavailableError
from responder.store.store import Store

log = structlog.get_logger(__name__)

T = TypeVar("T")
Find = Callable[[Connection, float, int], Sequence[str]]
Act = Callable[[Connection, Sequence[str]], None]

_LEASE = "retention"
_FIRST_PASS_SECONDS = 60.0
_BATCH = 50
_MOST_FOUND = 5_000
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
            await self._all(retention.full_bodies, old_body, retention.empty)
            await self._all(retention.old_changes, old, retention.delete_changes)
            await self._all(retention.old_deliveries, old, retention.delete_deliveries)
            await self._held(lambda database: patrol.forget_rounds(database, old))
            await self._all(spending.old, old, spending.delete)
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
        while old := await self._found(retention.expired, before):
            for some in _batches(old):
                count += await self._batch(some, before)
                await asyncio.sleep(self._pause_seconds)
        return count

    async def _batch(self, old: Sequence[str], before: float) -> int:
        """Delete some incidents; give how many."""
        runs = await self._held(lambda database: retention.runs_of(database, old))
        # First: without their incident nothing would ever name them again.
        await self._forget(runs)
        return await self._held(lambda database: _deleted(database, old, before))

    async def _all(self, find: Find, before: float, act: Act) -> None:
        while found := await self._found(find, before):
            for some in _batches(found):
                await self._held(partial(_done, act=act, ids=some))
                await asyncio.sleep(self._pause_seconds)

    async def _found(self, find: Find, before: float) -> Sequence[str]:
        """Look for many at once and beside the writer: it is slow, and no post waits for it."""
        return await self._store.read(lambda database: find(database, before, _MOST_FOUND))

    async def _held(self, job: Callable[[Connection], T]) -> T:
        def held(connection: Connection) -> T:
            if not replicas.hold(connection, _LEASE, self._replica_id):
                raise _NotOursError
            return job(connection)

        return await self._store.write(held)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


def _done(connection: Connection, *, act: Act, ids: Sequence[str]) -> None:
    act(connection, ids)


def _deleted(connection: Connection, found: Sequence[str], before: float) -> int:
    """Delete those of *found* that are still to go: one may have been reopened meanwhile."""
    still = set(retention.expired(connection, before, len(found), found))
    chosen = [each for each in found if each in still]
    retention.delete(connection, chosen)
    return len(chosen)
