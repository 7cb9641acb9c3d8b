"""Brings the schema up to date, forwards from every released one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from responder.store.engine import StoreError, open_engine, unavailable

_SCRIPTS = Path(__file__).parent / "migrations"
_POSTGRES_LOCK = 0x7669676965  # any number, the same for every replica
# A step may rewrite a large table, and another replica may be at it first.
_PATIENCE_SECONDS = 3600.0


def configuration(connection: Connection) -> Config:
    """Give Alembic's configuration, with our scripts, on *connection*."""
    config = Config()
    # Alembic interpolates with percent signs, which a path may hold.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def run(url: str) -> None:
    """Bring the schema of *url* up to date, however long that takes; raises StoreError."""
    engine = open_engine(url, answer_seconds=_PATIENCE_SECONDS)
    try:
        to_newest(engine)
    finally:
        engine.dispose()


def to_newest(engine: Engine) -> None:
    """Run every migration that is missing, in one transaction, under a lock.

    Raises StoreError when the schema is newer than this program, or cannot be changed.
    """
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})"))
            config = configuration(connection)
            scripts = ScriptDirectory.from_config(config)
            current = MigrationContext.configure(connection).get_current_revision()
            known = {script.revision for script in scripts.walk_revisions()}
            if current is not None and current not in known:
                raise StoreError(
                    f"database: its schema {current} is newer than this program; upgrade Vigie"
                )
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        raise unavailable(error) from error
