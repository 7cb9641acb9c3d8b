"""Data that the first release wrote, read by today's program."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from responder.store import incidents, outbox, reports, views, work
from responder.store.engine import open_engine, url_of
from responder.store.migrate import configuration
from responder.store.store import Store
from tests.responder.conftest import Start, eventually

_SCHEMAS = Path(__file__).parent / "schemas"
"""Dumps of what the first release stored: seven posts, and a kill in the midst of a gathering."""

REPORTED, UNTOLD, CUT_OFF = "ea7be68c38614a10", "9c63a0b591d74241", "44249927cbe34601"
WAITING, CLOSED = "792b0b5c215e46f6", "4f44a2f231e0456a"


def lay_out(folder: Path) -> None:
    """Write both of the first release's files."""
    for name, dump in (("vigie.db", "0001.sql"), ("vigie.workflows.db", "0001.workflows.sql")):
        with sqlite3.connect(folder / name) as database:
            database.executescript((_SCHEMAS / dump).read_text(encoding="utf-8"))
        database.close()


@pytest.fixture
def old(tmp_path: Path) -> str:
    """Give the URL of a database that the first release wrote."""
    lay_out(tmp_path)
    return url_of("vigie.db", tmp_path)


async def test_nothing_of_the_first_releases_data_is_lost(old: str) -> None:
    """Every table holds as many rows after the migration as before."""
    before = counts(old)
    with Store(old):
        after = counts(old)
    assert sum(before.values()) > 60
    assert {name: after[name] for name in before if name != "alembic_version"} == {
        name: count for name, count in before.items() if name != "alembic_version"
    }


def counts(url: str) -> dict[str, int]:
    """Count the rows of each table."""
    engine = open_engine(url)
    with engine.begin() as database:
        names = sa.inspect(database).get_table_names()
        found = {
            name: database.execute(
                sa.select(sa.func.count()).select_from(sa.table(name))
            ).scalar_one()
            for name in names
        }
    engine.dispose()
    return found


async def test_its_incidents_and_reports_are_read(old: str) -> None:
    """States, episodes, reports, history, stages and messages mean what they meant."""
    with Store(old) as store:
        found = {
            each.id: each
            for each in await store.read(lambda database: incidents.newest(database, 100))
        }
        assert {each.state.value for each in found.values()} == {
            "reported",
            "investigating",
            "waiting",
            "closed",
        }
        assert found[REPORTED].resolved_at is not None
        assert found[UNTOLD].resolved_at is None
        occurrence = next(each for each in found.values() if each.occurrence_of)
        assert occurrence.occurrence_of == UNTOLD
        dossier = await store.read(lambda database: reports.of_incident(database, REPORTED))
        assert dossier is not None
        assert dossier.report.incident == REPORTED
        assert dossier.evidence
        file = await store.read(lambda database: views.file(database, REPORTED))
        assert file is not None
        assert file.history
        backlogs = await store.read(outbox.backlogs)
        assert backlogs["pager"].pending == 3
        assert await store.read(work.pending) == 2


def test_its_foreign_keys_hold_after_the_migration(old: str) -> None:
    """No row refers to one that is gone."""
    with Store(old):
        engine = open_engine(old)
        with engine.begin() as database:
            assert database.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            assert database.exec_driver_sql("PRAGMA integrity_check").all() == [("ok",)]
        engine.dispose()


async def test_its_investigation_in_flight_ends_in_a_report(tmp_path: Path, start: Start) -> None:
    """The responder of today goes on with what the first release was killed in."""
    lay_out(tmp_path)
    place = await start("database: vigie.db\nincidents: {quiet: 0s}")

    async def done() -> bool:
        found = {each["id"]: each["state"] for each in await place.incidents()}
        return {found[CUT_OFF], found[WAITING]} == {"reported"}

    await eventually(done)
    assert place.investigation.calls["gather"] == 2
    page = await place.text(f"/incidents/{CUT_OFF}")
    assert "VigieTargetHung" in page


async def test_its_quarantine_is_listed(tmp_path: Path, start: Start) -> None:
    """What the first release could not read is still there to be read again."""
    lay_out(tmp_path)
    place = await start("database: vigie.db")
    found = await place.read("/api/v1/quarantine")
    assert "no list of alerts" in str(found)


def test_a_first_schema_with_rows_is_migrated(url: str) -> None:
    """Rows of the first schema are there after the last step, on each kind of database."""
    engine = open_engine(url)
    with engine.begin() as database:
        command.upgrade(configuration(database), "0001")
        database.exec_driver_sql(
            "INSERT INTO incidents (id, opened_at, joined_at, state, reason, severity_rank)"
            " VALUES ('a', 1, 1, 'waiting', 'new', 0)"
        )
        database.exec_driver_sql(
            "INSERT INTO work (id, incident_id, priority, due_at, state, attempts, created_at,"
            " problem) VALUES ('a-1', 'a', 0, 1, 'waiting', 0, 1, '')"
        )
    engine.dispose()
    with Store(url):
        engine = open_engine(url)
        with engine.begin() as database:
            claimed = database.execute(sa.text("SELECT owner, due_set_at FROM work")).all()
            assert claimed == [("", 0.0)]
        engine.dispose()
