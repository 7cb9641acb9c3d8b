"""The migrations: complete, refused where they cannot be, safe when several begin at once."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from lab.stack.postgres import Cluster
from responder.store import migrate
from responder.store.engine import StoreError, open_engine
from responder.store.store import Store
from responder.store.tables import metadata


def test_the_migrations_make_the_schema_that_the_queries_use(url: str) -> None:
    """Nothing is left to generate after the last step."""
    with Store(url):
        engine = open_engine(url)
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        engine.dispose()


def test_a_second_start_changes_nothing(url: str) -> None:
    """Opening again finds the newest schema."""
    with Store(url):
        pass
    with Store(url):
        pass


def test_a_newer_schema_is_refused(url: str) -> None:
    """A database of a later program is left alone, with a remedy."""
    with Store(url):
        pass
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="schema 9999 is newer than this program; upgrade Vigie"):
        Store(url)


_STARTER = """
import sys
from pathlib import Path
from responder.store.engine import url_of
from responder.store.store import Store
with Store(url_of(sys.argv[1], Path())):
    pass
"""


async def test_replicas_that_start_at_once_migrate_once(postgresql: Cluster) -> None:
    """Each comes up, on one schema."""
    url = postgresql.url("test_start_at_once")
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _STARTER, url, cwd=Path.cwd())
        for _ in range(3)
    ]
    assert [await each.wait() for each in processes] == [0, 0, 0]
    engine = open_engine(url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar_one()
    engine.dispose()
    assert rows == 1


def test_a_step_that_fails_leaves_the_schema_as_it_was(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps run in one transaction: either all of them, or none."""
    engine = open_engine(url)
    with engine.begin() as connection:
        command.upgrade(migrate.configuration(connection), "0001")

    def full(*_arguments: object, **_options: object) -> None:
        raise sa.exc.OperationalError("ALTER TABLE", {}, Exception("disk full"))

    with monkeypatch.context() as patched:
        patched.setattr(op, "create_index", full)
        with pytest.raises(StoreError, match="disk full"):
            Store(url)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "0001"
        assert "replicas" not in sa.inspect(connection).get_table_names()
    engine.dispose()
    with Store(url):
        pass
