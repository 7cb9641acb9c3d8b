"""The database behind the store: engines, their settings, and the words of their failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["Connection", "StoreError", "StoreUnavailableError", "open_engine", "url_of"]

_BUSY_SECONDS = 2.0
_READERS = 4


class StoreError(Exception):
    """The store cannot be used as it is: `where: problem; remedy`."""


class StoreUnavailableError(StoreError):
    """The store cannot be written or read just now; the same may succeed later."""


def url_of(database: str, directory: Path) -> str:
    """Give the URL of a database that the configuration names by URL or by a file's path."""
    if "://" in database:
        return database
    return f"sqlite:///{(directory / Path(database).expanduser()).absolute()}"


def workflows_url(url: str) -> str:
    """Give where the workflow engine keeps its own state: beside our file, or in our database."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return url
    file = Path(parsed.database)
    return f"sqlite:///{file.with_name(f'{file.stem}.workflows{file.suffix}')}"


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """Open *url*; writers on SQLite take the write lock at once and sync each commit to disk.

    Raises StoreError when the folder cannot be made.
    """
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
    if sa.make_url(url).get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_size=_READERS, pool_pre_ping=True, **options)
    _make_folder(url)
    options["connect_args"] = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
    engine = sa.create_engine(url, pool_size=_READERS, **options)
    _listen(engine, read_only=read_only)
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
    cause = error.orig if isinstance(error, DBAPIError) else error
    return StoreUnavailableError(f"database: {cause}; free its disk or reach its server again")


def insert_new(connection: Connection, table: sa.Table, row: dict[str, Any]) -> bool:
    """Insert *row* unless its key is there already; tell whether it was inserted."""
    if connection.dialect.name == "postgresql":
        statement: Any = postgresql.insert(table).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(table).on_conflict_do_nothing()
    return connection.execute(statement, row).rowcount > 0


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
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
