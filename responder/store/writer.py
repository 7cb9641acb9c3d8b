"""One thread that writes: all transactions waiting at the same time share one commit."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from responder.store.engine import StoreUnavailableError, unavailable

T = TypeVar("T")

_LARGEST_BATCH = 256


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Connection], Any]
    outcome: Future[Any]


class Writer:
    """Runs jobs in order on a thread of its own; a job is done when its commit is on disk.

    A job may be run again when another one of its batch fails: it must live in the connection
    alone. At most `waiting_limit` jobs wait.
    """

    def __init__(self, engine: Engine, *, waiting_limit: int) -> None:
        """Start the thread."""
        self._engine = engine
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=waiting_limit)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run *work* in a transaction and give what it returns once that is on disk.

        Raises StoreUnavailableError when it cannot be committed or too many wait already.
        """
        outcome: Future[T] = Future()
        try:
            self._jobs.put_nowait(_Job(work, outcome))
        except queue.Full:
            raise StoreUnavailableError("database: too many wait to write; try later") from None
        # What has been handed over is written, whether or not its caller waits any longer.
        return await asyncio.shield(asyncio.wrap_future(outcome))

    def waiting(self) -> int:
        """Tell how many jobs wait."""
        return self._jobs.qsize()

    def close(self) -> None:
        """Write what waits, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            first = self._jobs.get()
            if first is None:
                return
            batch, is_last = self._gathered(first)
            if not self._committed(batch):
                for job in batch:
                    self._alone(job)
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
                results = [job.work(connection) for job in batch]
        except OperationalError as error:
            self._refuse(batch, error)
            return True
        except Exception:  # noqa: BLE001 - whose fault it is shows when each runs alone
            return False
        for job, result in zip(batch, results, strict=True):
            job.outcome.set_result(result)
        return True

    def _alone(self, job: _Job) -> None:
        try:
            with self._engine.begin() as connection:
                result = job.work(connection)
        except SQLAlchemyError as error:
            self._refuse([job], error)
        except Exception as error:  # noqa: BLE001 - the job's own fault goes to who asked
            job.outcome.set_exception(error)
        else:
            job.outcome.set_result(result)

    def _refuse(self, batch: Sequence[_Job], error: SQLAlchemyError) -> None:
        """Tell all of *batch* that the database itself failed: disk full, locked, gone."""
        # A connection that failed to commit may be in any state: the next one is new.
        self._engine.dispose()
        for job in batch:
            job.outcome.set_exception(unavailable(error))
