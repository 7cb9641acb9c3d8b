"""One thread that writes: all transactions waiting at the same time share one commit."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from responder.store.engine import (
    StoreUnavailableError,
    is_collision,
    is_its_own_fault,
    refused,
    serialise,
    unavailable,
)

T = TypeVar("T")
R = TypeVar("R")

_LARGEST_BATCH = 256
_COLLISIONS = 3
_LONGEST_GATHERING_SECONDS = 0.02


Together = Callable[[Connection, Sequence[Any]], Sequence[Any]]
"""Does many pieces of one kind at once; gives a result, or an Exception, for each."""


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    outcome: asyncio.Future[Any]
    together: Together | None = None
    item: Any = None
    handed_at: float = field(default_factory=time.monotonic)
    result: Any = None


def _tell(jobs: Sequence[_Job]) -> None:
    """Give its result to each who still waits for it; runs on their loop."""
    for job in jobs:
        if job.outcome.done():  # whoever waited was cancelled
            continue
        if isinstance(job.result, Exception):
            job.outcome.set_exception(job.result)
        else:
            job.outcome.set_result(job.result)


class _Lull:
    """Waits, on a loop, for a turn of it in which nobody has handed over anything more.

    The writer's thread shares the interpreter with the loop: what is ready there is better read
    first, and then written in one go, than both in alternation.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, waiting: Callable[[], int]) -> None:
        self._loop = loop
        self._waiting = waiting
        self._seen = -1
        self._until = time.monotonic() + _LONGEST_GATHERING_SECONDS
        self._has_come = threading.Event()

    def wait(self) -> None:
        """Wait for it, or until it has taken too long."""
        with suppress(RuntimeError):  # the loop is closed: nobody hands over anything more
            self._loop.call_soon_threadsafe(self._look)
            self._has_come.wait(_LONGEST_GATHERING_SECONDS)

    def _look(self) -> None:
        waiting = self._waiting()
        if waiting == self._seen or waiting >= _LARGEST_BATCH or time.monotonic() >= self._until:
            self._has_come.set()
            return
        self._seen = waiting
        self._loop.call_soon(self._look)


class Writer:
    """Runs jobs in order on a thread of its own; a job is done when its commit is on disk.

    A job may be run again when another one of its batch fails: it must live in the connection
    alone. At most `waiting_limit` jobs wait.
    """

    def __init__(self, engine: Engine, *, waiting_limit: int) -> None:
        """Start the thread."""
        self._engine = engine
        self.observe: Callable[[float, int], None] = lambda _seconds, _jobs: None
        """Told of each batch when it is done: how long it took, and how many jobs it had."""
        self._in_hand: _Job | None = None
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=waiting_limit)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run *work* in a transaction and give what it returns once that is on disk.

        Raises StoreUnavailableError when it cannot be committed or too many wait already.
        """
        job = _Job(work, asyncio.get_running_loop().create_future())
        return cast("T", await self._handed_over(job))

    async def write_together(
        self,
        kind: Callable[[Connection, Sequence[T]], Sequence[R | Exception]],
        item: T,
    ) -> R:
        """Have *kind* do *item* in one call with all of its kind that wait; done means on disk.

        Raises the Exception that *kind* gives for *item*, and what `write` raises.
        """

        def alone(connection: Connection) -> Any:
            return kind(connection, [item])[0]

        outcome = asyncio.get_running_loop().create_future()
        job = _Job(alone, outcome, together=kind, item=item)
        return cast("R", await self._handed_over(job))

    async def _handed_over(self, job: _Job) -> Any:
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise StoreUnavailableError("database: too many wait to write; try later") from None
        # What has been handed over is written, whether or not its caller waits any longer.
        return await job.outcome

    def waiting(self) -> int:
        """Tell how many jobs wait."""
        return self._jobs.qsize()

    def oldest_age_seconds(self) -> float:
        """Tell how long the oldest job has waited for its commit, 0 when none does."""
        job = self._in_hand
        if job is None:
            with suppress(IndexError):
                job = self._jobs.queue[0]
        return 0.0 if job is None else time.monotonic() - job.handed_at

    def close(self) -> None:
        """Write what waits, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            first = self._jobs.get()
            if first is None:
                return
            self._in_hand = first
            _Lull(first.outcome.get_loop(), self._jobs.qsize).wait()
            begun_at = time.monotonic()
            batch, is_last = self._gathered(first)
            if not self._committed(batch):
                for job in batch:
                    self._alone(job)
            _done(batch)
            self._in_hand = None
            self.observe(time.monotonic() - begun_at, len(batch))
            if is_last:
                return

    def _gathered(self, first: _Job) -> tuple[list[_Job], bool]:
        batch = [first]
        while len(batch) < _LARGEST_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _committed(self, batch: Sequence[_Job]) -> bool:
        """Try the whole batch in one transaction; false when each must be tried alone."""
        if len(batch) == 1:
            self._alone(batch[0])
            return True
        try:
            with self._engine.begin() as connection:
                # In the middle of a batch, behind rows that another job of it has changed, it could
                # be half of a deadlock between replicas.
                serialise(connection)
                results = _results(connection, batch)
        except OperationalError as error:
            if is_collision(error) or is_its_own_fault(error):
                return False
            self._refuse(batch, error)
            return True
        except Exception:  # noqa: BLE001 - whose fault it is shows when each runs alone
            return False
        for job, result in zip(batch, results, strict=True):
            job.result = result
        return True

    def _alone(self, job: _Job) -> None:
        try:
            result = self._tried(job)
        except SQLAlchemyError as error:
            if is_its_own_fault(error):
                job.result = refused(error)
            else:
                self._refuse([job], error)
        except Exception as error:  # noqa: BLE001 - the job's own fault goes to who asked
            job.result = error
        else:
            job.result = result

    def _tried(self, job: _Job) -> Any:
        for _ in range(_COLLISIONS):
            try:
                return self._done(job)
            except SQLAlchemyError as error:
                if not is_collision(error):
                    raise
        return self._done(job)

    def _done(self, job: _Job) -> Any:
        with self._engine.begin() as connection:
            return job.work(connection)

    def _refuse(self, batch: Sequence[_Job], error: SQLAlchemyError) -> None:
        """Tell all of *batch* that the database itself failed: disk full, locked, gone."""
        # A connection that failed to commit may be in any state: the next one is new.
        self._engine.dispose()
        for job in batch:
            job.result = unavailable(error)


def _done(batch: Sequence[_Job]) -> None:
    """Tell all who wait; each loop is woken once, since that is what costs."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = defaultdict(list)
    for job in batch:
        by_loop[job.outcome.get_loop()].append(job)
    for loop, jobs in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(_tell, jobs)


def _results(connection: Connection, batch: Sequence[_Job]) -> list[Any]:
    """Run a batch in order; pieces of one kind run together, where the first of them stood."""
    results: dict[int, Any] = {}
    for number, job in enumerate(batch):
        if job.together is None:
            results[number] = job.work(connection)
        elif number not in results:
            kind = job.together
            alike = [at for at, each in enumerate(batch) if each.together is kind]
            made = kind(connection, [batch[at].item for at in alike])
            results.update(zip(alike, made, strict=True))
    return [results[number] for number in range(len(batch))]
