"""Connections to a PostgreSQL server that fail in time, rather than wait for it for ever."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Dialect, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

R = TypeVar("R")

_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 3.0

# libpq's own names; they are for a server whose machine or network is gone.
GONE_LIMITS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
# How long a transaction may do nothing: a replica that was stopped in one gives up its locks.
_IDLE_MILLISECONDS = 10_000


class BoundedConnection(psycopg.Connection[Any]):
    """Waits for each answer no longer than its limit, then is closed.

    A frozen server's kernel goes on acknowledging packets, so that none of libpq's limits holds;
    psycopg has its connections extended by subclasses.
    """

    answer_seconds: float = 15.0

    def wait(
        self, gen: PQGen[R], interval: float = _LOOK_SECONDS, timeout: float | None = None
    ) -> R:
        """Wait for the answer; raises OperationalError when there is none in time."""
        limit = self.answer_seconds if timeout is None else timeout
        began = time.monotonic()
        try:
            return super().wait(gen, interval, limit)
        except psycopg.OperationalError:
            if time.monotonic() - began < limit:
                raise
            # What it would have answered is unknown from here on: nothing more is said on it.
            self.close()
            problem = f"the server has not answered for {limit:g} s"
            raise psycopg.OperationalError(problem) from None


def bound(engine: Engine, answer_seconds: float) -> None:
    """Have *engine* open connections that wait no longer than that for an answer."""

    @event.listens_for(engine, "do_connect")
    def connect(
        _dialect: Dialect, _entry: ConnectionPoolEntry, arguments: list[Any], named: dict[str, Any]
    ) -> BoundedConnection:
        made = BoundedConnection.connect(*arguments, **named)
        made.answer_seconds = answer_seconds
        return made


def session_options(answer_seconds: float, *, read_only: bool) -> str:
    """Give the settings of a session: the server gives up a statement before we give up on it."""
    statement_milliseconds = max(1, round((answer_seconds - _GRACE_SECONDS) * 1000))
    settings = {
        "statement_timeout": str(statement_milliseconds),
        "idle_in_transaction_session_timeout": str(_IDLE_MILLISECONDS),
        # Whatever the server's default is: acknowledged means on disk.
        "synchronous_commit": "on",
    }
    if read_only:
        # A page asks several questions: it sees one state of things, as on SQLite.
        settings |= {
            "default_transaction_read_only": "on",
            "default_transaction_isolation": r"repeatable\ read",
        }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
