"""The database behind the store: engines, their settings, and the words of their failures."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from responder.store.server import GONE_LIMITS, bound, session_options

__all__ = ["Connection", "StoreError", "StoreUnavailableError", "open_engine", "url_of"]

_BUSY_SECONDS = 2.0
_CONNECTIONS = 4
_LONGEST_PROBLEM = 300
# SQLite's own are 2 MiB and 4 MiB: with these an index that grows in many places is written out
# half as often, and the log beside the database stays small enough for a small disk.
_CACHE_KIBIBYTES = 16 * 1024
_CHECKPOINT_PAGES = 2000
_POOL_SECONDS = 5.0
ANSWER_SECONDS = 15.0
"""How long a statement may take on a server, which is then given up."""
_OUTAGES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
_FORMS = "give a file's path or a URL such as postgresql://user@host/name"
_PLACING_LOCK = 0x706C616365  # any number, the same for every replica
_SPENDING_LOCK = 0x7370656E64


class StoreError(Exception):
    """The store cannot be used as it is: `where: problem; remedy`."""


class StoreUnavailableError(StoreError):
    """The store cannot be written or read just now; the same may succeed later."""


class StoreRefusedError(StoreError):
    """The database works, but does not take this as it is; the same will never succeed."""


def url_of(database: str, directory: Path) -> str:
    """Give the URL of a database that the configuration names by URL or by a file's path.

    Raises StoreError when it is of another kind than SQLite and PostgreSQL.
    """
    if "://" not in database:
        return f"sqlite:///{(directory / Path(database).expanduser()).absolute()}"
    try:
        parsed = sa.make_url(database)
    except (ArgumentError, ValueError):  # the text of either may hold the password
        raise StoreError(f"database: not a URL; {_FORMS}") from None
    if parsed.get_backend_name() == "sqlite":
        return database
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise StoreError(f"database: neither SQLite nor PostgreSQL; {_FORMS}")
    if not parsed.database:
        raise StoreError(f"database: a URL without a database's name; {_FORMS}")
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def has_password(url: str) -> bool:
    """Tell whether a URL of ours holds a password."""
    parsed = sa.make_url(url)
    return bool(parsed.password or parsed.query.get("password"))


def workflows_url(url: str) -> str:
    """Give where the workflow engine keeps its own state: beside our file, or in our database."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        limits = {name: str(value) for name, value in GONE_LIMITS.items()}
        return parsed.update_query_dict(limits).render_as_string(hide_password=False)
    file = Path(parsed.database)
    return f"sqlite:///{file.with_name(f'{file.stem}.workflows{file.suffix}')}"


def open_engine(
    url: str,
    *,
    read_only: bool = False,
    answer_seconds: float = ANSWER_SECONDS,
    connections: int = _CONNECTIONS,
) -> Engine:
    """Open *url*; writers on SQLite take the write lock at once and sync each commit to disk.

    At most *connections* are open. On PostgreSQL a statement is given up when it has taken
    *answer_seconds*. Raises StoreError when the folder cannot be made.
    """
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
    options["pool_size"] = connections
    if sa.make_url(url).get_backend_name() != "sqlite":
        return _open_postgres(url, options, answer_seconds, read_only=read_only)
    _make_folder(url)
    options["connect_args"] = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
    engine = sa.create_engine(url, **options)
    _listen(engine, read_only=read_only)
    return engine


def _open_postgres(
    url: str, options: dict[str, Any], answer_seconds: float, *, read_only: bool
) -> Engine:
    """Open a pool whose connections fail, rather than hang, when the server is gone or frozen."""
    settings = session_options(answer_seconds, read_only=read_only)
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"),
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        pool_pre_ping=True,
        connect_args={**GONE_LIMITS, "options": settings},
        hide_parameters=True,
        **options,
    )
    bound(engine, answer_seconds)
    return engine


def prepare_file(url: str) -> None:
    """Put a SQLite file that another library opens into WAL mode, which the file itself keeps."""
    if sa.make_url(url).get_backend_name() != "sqlite":
        return
    engine = open_engine(url)
    try:
        with engine.connect():
            pass
    except SQLAlchemyError as error:
        raise unavailable(error) from error
    finally:
        engine.dispose()


def unavailable(error: SQLAlchemyError) -> StoreUnavailableError:
    """Put a failure of the database into our words, without its statement and values."""
    problem = _problem(error)
    return StoreUnavailableError(f"database: {problem}; free its disk or reach its server again")


def refused(error: SQLAlchemyError) -> StoreRefusedError:
    """Put what is wrong with a statement's values into our words, without showing those."""
    return StoreRefusedError(f"database: {_problem(error)}; store it in another form")


def is_collision(error: SQLAlchemyError) -> bool:
    """Tell whether a server undid a transaction for another one's sake: again, it may succeed.

    Source: PostgreSQL's error codes, class 40.
    """
    return _class(error) == "40"


def is_its_own_fault(error: SQLAlchemyError) -> bool:
    """Tell whether a database refused what a statement holds: again, it would do the same.

    Source: PostgreSQL's error codes, classes 22 (data), 23 (constraints), 54 (limits).
    """
    return isinstance(error, DataError | IntegrityError) or _class(error) in {"22", "23", "54"}


def is_outage(error: BaseException) -> bool:
    """Tell whether a file's disk failed, is full, or is not there: again, it may succeed.

    Source: SQLite's result codes. A server that is gone is waited for where it is asked.
    """
    cause = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF in _OUTAGES


def _class(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else None
    return str(getattr(cause, "sqlstate", None) or "")[:2]


def _problem(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    # Below the first line PostgreSQL quotes the values.
    lines = str(cause).splitlines() if is_its_own_fault(error) else []
    return " ".join((lines[0] if lines else str(cause)).split())[:_LONGEST_PROBLEM]


def serialise(connection: Connection) -> None:
    """Let no other replica place alerts until this transaction ends; SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_PLACING_LOCK})"))


def serialise_spending(connection: Connection) -> None:
    """Let no other replica reserve until this transaction ends; SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_SPENDING_LOCK})"))


def database_now(connection: Connection) -> float:
    """Give the time in seconds since the epoch by the clock that all replicas share."""
    if connection.dialect.name != "postgresql":
        return time.time()
    query = sa.text("SELECT extract(epoch FROM clock_timestamp())")
    return float(connection.execute(query).scalar_one())


def insert_new(connection: Connection, table: sa.Table, row: dict[str, Any]) -> bool:
    """Insert *row* unless its key is there already; tell whether it was inserted."""
    if connection.dialect.name == "postgresql":
        statement: Any = postgresql.insert(table).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(table).on_conflict_do_nothing()
    # Kept on request alone: what an INSERT has done is otherwise not told on PostgreSQL.
    kept = statement.execution_options(preserve_rowcount=True)
    return connection.execute(kept, row).rowcount > 0


def _make_folder(url: str) -> None:
    file = sa.make_url(url).database
    if not file or file == ":memory:":
        raise StoreError("database: not a file; give a path")
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        folder = Path(file).parent
        raise StoreError(
            f"database: {folder} cannot be made ({error.strerror}); check it"
        ) from None


def _listen(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _entry: ConnectionPoolEntry) -> None:
        # Transactions are begun below, in one way for all; sqlite3 would begin them lazily.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIBIBYTES}")
        cursor.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
