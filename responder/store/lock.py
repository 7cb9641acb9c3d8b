"""One process for each SQLite file: its lock lies beside it, and ends with its holder."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from responder.store.engine import StoreError


class FileLock:
    """Holds `<file>.lock` from its making until `release`, or until this process ends.

    The file stays behind when it is released: to remove it would let two hold it.
    """

    def __init__(self, url: str) -> None:
        """Take the lock; nothing to take for a database server. Raises StoreError when held."""
        parsed = sa.make_url(url)
        self._held: int | None = None
        if parsed.get_backend_name() != "sqlite" or not parsed.database:
            return
        path = Path(f"{parsed.database}.lock")
        try:
            self._held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            problem = f"{path} cannot be opened ({error.strerror})"
            raise StoreError(f"database: {problem}; make its folder writable") from None
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            problem = f"{parsed.database} is in use by another process"
            remedy = "stop that one, or use PostgreSQL for several replicas"
            raise StoreError(f"database: {problem}; {remedy}") from None

    def release(self) -> None:
        """Let another process have the file."""
        held, self._held = self._held, None
        if held is not None:
            with suppress(OSError):
                os.close(held)

    def __enter__(self) -> Self:
        """Give the held lock."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Release it."""
        self.release()
