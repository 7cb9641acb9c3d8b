"""What only a SQLite file has: its modes, its locks, its folder."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from responder.store.deliveries import keep
from responder.store.engine import (
    StoreError,
    StoreUnavailableError,
    open_engine,
    url_of,
    workflows_url,
)
from responder.store.store import Store
from tests.responder.store.test_store import count, raw, store_post


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Give the URL of a file that is not there yet."""
    return url_of("deep/er/vigie.db", tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Open a new store."""
    with Store(url) as opened:
        yield opened


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
    assert workflows_url("postgresql://h/d").startswith("postgresql://h/d?connect_timeout=")


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


_HOLDER = """
import sys, time
from pathlib import Path
from responder.store.engine import url_of
from responder.store.store import Store
with Store(url_of("vigie.db", Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_on_one_file_is_refused(tmp_path: Path) -> None:
    """It is told what to do; a killed holder leaves the file free."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match="in use by another process; stop that one, or use"):
            Store(url_of("vigie.db", tmp_path))
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(10)
        with Store(url_of("vigie.db", tmp_path)):
            pass
    finally:
        holder.kill()
        holder.communicate()


_SMALL = """
import asyncio, resource, sys
from pathlib import Path
from responder.store.deliveries import Raw, keep
from responder.store.engine import StoreUnavailableError, url_of
from responder.store.store import Store

async def main():
    with Store(url_of("vigie.db", Path(sys.argv[1]))) as store:
        kept = refused = 0
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
        for number in range(100):
            if number == 60:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            post = Raw(id=str(number), kind="a", received_at=number, body=b"x" * 100_000)
            try:
                await store.write(lambda database: keep(database, post))
            except StoreUnavailableError:
                refused += 1
            else:
                kept += 1
                last = number
        count = "SELECT count(*) FROM deliveries"
        found = await store.read(lambda database: database.exec_driver_sql(count).scalar_one())
        print(kept, refused, found, last)

asyncio.run(main())
"""


def test_a_file_that_cannot_grow_refuses_and_recovers(tmp_path: Path) -> None:
    """Without space nothing is acknowledged; with space again all is, and nothing was lost."""
    done = subprocess.run(
        [sys.executable, "-c", _SMALL, str(tmp_path)], capture_output=True, timeout=60, check=True
    )
    kept, refused, found, last = (int(each) for each in done.stdout.split())
    assert refused > 10
    assert kept == found == 100 - refused
    assert last == 99
