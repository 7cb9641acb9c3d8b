"""The store: writes through one writer, reads on a few threads, migrated when it is opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from responder.store import migrate
from responder.store.engine import (
    open_engine,
    prepare_file,
    unavailable,
    workflows_url,
)
from responder.store.lock import FileLock
from responder.store.writer import Writer

T = TypeVar("T")
R = TypeVar("R")

_READERS = 2


class Store:
    """Opens a database, brings its schema up to date, and runs queries on it off the loop."""

    def __init__(self, url: str, *, waiting_limit: int = 1000) -> None:
        """Open and migrate *url*; raises StoreError."""
        self.workflows_url = workflows_url(url)
        self._engine = open_engine(url)
        try:
            self._lock = FileLock(url)
        except BaseException:
            self._engine.dispose()
            raise
        try:
            migrate.run(url)
            prepare_file(self.workflows_url)
        except BaseException:
            self._engine.dispose()
            self._lock.release()
            raise
        self._reading = open_engine(url, read_only=True)
        self._writer = Writer(self._engine, waiting_limit=waiting_limit)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")

    def __enter__(self) -> Self:
        """Give the open store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what waits and close."""
        self.close()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run *work* in a transaction; done means on disk. Raises StoreUnavailableError."""
        return await self._writer.write(work)

    async def write_together(
        self, kind: Callable[[Connection, Sequence[T]], Sequence[R | Exception]], item: T
    ) -> R:
        """Have *kind* do *item* in one call with all of its kind that wait, as `Writer` does."""
        return await self._writer.write_together(kind, item)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query* on a thread for reading. Raises StoreUnavailableError."""

        def run() -> T:
            try:
                with self._reading.begin() as connection:
                    return query(connection)
            except SQLAlchemyError as error:
                raise unavailable(error) from error

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def waiting(self) -> int:
        """Tell how many writes wait."""
        return self._writer.waiting()

    def oldest_age_seconds(self) -> float:
        """Tell how long the oldest write has waited for its commit, 0 when none does."""
        return self._writer.oldest_age_seconds()

    def observe(self, committed: Callable[[float, int], None]) -> None:
        """Have each commit told to *committed*, on the writer's thread: seconds, and how many."""
        self._writer.observe = committed

    def close(self) -> None:
        """Write what waits and close; may take as long as that takes."""
        self._writer.close()
        self._readers.shutdown(wait=True)
        self._engine.dispose()
        self._reading.dispose()
        self._lock.release()
