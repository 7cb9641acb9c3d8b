"""The store: commits shared and refused, migrations, the outbox's order."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from responder.incident import IncidentState
from responder.store import incidents, outbox
from responder.store.deliveries import Raw, keep
from responder.store.engine import (
    Connection,
    StoreError,
    StoreUnavailableError,
    open_engine,
    url_of,
    workflows_url,
)
from responder.store.incidents import Opening
from responder.store.outbox import Notice
from responder.store.store import Store
from responder.store.tables import metadata, reports


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Give the URL of a database that is not there yet."""
    return url_of("deep/er/vigie.db", tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Open a new store."""
    with Store(url) as opened:
        yield opened


def raw(number: int) -> Raw:
    """Make a post."""
    return Raw(id=str(number), kind="alertmanager", received_at=number, body=b"x")


def store_post(number: int, connection: Connection) -> None:
    """Store a post."""
    keep(connection, raw(number))


async def count(store: Store) -> int:
    """Count the posts."""
    found: int = await store.read(
        lambda database: database.execute(sa.text("SELECT count(*) FROM deliveries")).scalar_one()
    )
    return found


async def test_one_bad_write_does_not_cost_the_others(store: Store) -> None:
    """Among writes that share a commit, the one that fails fails alone."""

    def bad(_database: Connection) -> None:
        raise ValueError("bad")

    writes = [store.write(partial(store_post, n)) for n in range(50)]
    results = await asyncio.gather(*writes, store.write(bad), return_exceptions=True)
    assert [each for each in results if each is not None] == [results[-1]]
    assert isinstance(results[-1], ValueError)
    assert await count(store) == 50


async def test_a_lock_held_elsewhere_makes_it_unavailable_for_a_while(
    store: Store, tmp_path: Path
) -> None:
    """Everything waiting is refused in one go, reads go on, and writing recovers."""
    other = sqlite3.connect(tmp_path / "deep" / "er" / "vigie.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writes = [store.write(partial(store_post, n)) for n in range(20)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(each, StoreUnavailableError) for each in results)
    assert await count(store) == 0
    other.execute("ROLLBACK")
    other.close()
    await store.write(lambda database: keep(database, raw(1)))
    assert await count(store) == 1


async def test_too_many_waiting_writes_are_refused(url: str) -> None:
    """What would wait beyond the limit is refused at once, the rest is written."""
    with Store(url, waiting_limit=3) as store:
        writes = [store.write(partial(store_post, n)) for n in range(50)]
        results = await asyncio.gather(*writes, return_exceptions=True)
        refused = [each for each in results if isinstance(each, StoreUnavailableError)]
        assert refused
        assert await count(store) == 50 - len(refused)


def test_each_commit_is_synced(url: str) -> None:
    """The writer's connections run in WAL mode with full synchronisation."""
    with Store(url):
        engine = open_engine(url)
        with engine.connect() as connection:
            found = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        engine.dispose()
    assert found == ["wal", 2, 1]


def test_the_workflows_have_a_file_of_their_own_in_wal_mode(url: str, tmp_path: Path) -> None:
    """It lies beside ours, and its mode is set before the engine opens it."""
    with Store(url) as store:
        assert store.workflows_url.endswith("vigie.workflows.db")
        with sqlite3.connect(tmp_path / "deep" / "er" / "vigie.workflows.db") as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert workflows_url("postgresql://h/d") == "postgresql://h/d"


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


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The error says which, and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"database: .*file.* cannot be made"):
        Store(url_of("file/vigie.db", tmp_path))


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of another kind is not touched."""
    file = tmp_path / "vigie.db"
    file.write_bytes(b"this is no database, " * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store(url_of("vigie.db", tmp_path))


async def test_messages_of_an_incident_keep_their_order(store: Store) -> None:
    """One that must wait holds back what follows about its incident, and nothing else."""

    def fill(database: Connection) -> None:
        for incident in ("a", "b"):
            opening = Opening(
                id=incident, at=0, state=IncidentState.WAITING, reason="", severity_rank=1
            )
            incidents.open_new(database, opening)
            row = {"id": f"r{incident}", "incident_id": incident, "created_at": 0.0}
            empty: dict[str, Any] = {"report": {}, "evidence": [], "suspects": [], "disproofs": []}
            database.execute(sa.insert(reports).values(row | empty))
        for incident, event in (("a", "reported"), ("a", "resolved"), ("b", "reported")):
            notice = Notice(incident_id=incident, report_id=f"r{incident}", event=event, at=0)
            outbox.add(database, ["c"], notice)
            outbox.add(database, ["c"], notice)

    def following(at: float) -> tuple[outbox.Parcel | None, float]:
        return outbox.next_parcel(database, "c", at)

    await store.write(fill)
    engine = open_engine(store.workflows_url.replace(".workflows", ""))
    with engine.begin() as database:
        first, _ = following(1)
        assert first is not None
        assert (first.incident_id, first.event) == ("a", "reported")
        outbox.put_off(database, first.id, 100, "later")
        second, _ = following(1)
        assert second is not None
        assert second.incident_id == "b"
        outbox.delivered(database, second.id, 1, "")
        assert following(1) == (None, 100)
        third, _ = following(100)
        assert third is not None
        outbox.delivered(database, third.id, 100, "")
        fourth, _ = following(100)
        assert fourth is not None
        assert (fourth.incident_id, fourth.event) == ("a", "resolved")
        outbox.rejected(database, fourth.id, 100, "no")
        assert following(1000) == (None, float("inf"))
        assert outbox.delivered_incidents(database, ["a", "b"]) == {"a", "b"}
    engine.dispose()


def test_a_key_is_the_same_for_ever() -> None:
    """It goes by report, channel and event alone; far ends have seen it."""
    assert outbox.idempotency_key("r", "c", "reported") == "64553c68c58c97e6e8e77a4ecb2ab6a0"
