"""The backup command: copies of a database that is being written, and what they are good for."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab.stack.postgres import Cluster
from tests.responder.conftest import eventually
from tests.responder.fakes import alert, post
from tests.responder.receiver import Receiver
from tests.responder.test_main import ROOT, Program, command, configure, program, run_to_end


async def back_up(folder: Path, to: str) -> tuple[int, str]:
    """Run the command in *folder*; give its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command("backup", f"--to={to}"),
        cwd=folder,
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


class Load:
    """Posts one alert after another, and notes those that were acknowledged."""

    def __init__(self, running: Program) -> None:
        """Begin with none."""
        self.running = running
        self.acknowledged: list[str] = []

    async def go_on(self) -> None:
        """Post until cancelled."""
        for number in range(100_000):
            named: dict[str, Any] = {"target": f"t{number}", "starts_at": time.time()}
            if await self.running.send(post(alert(**named))) == 200:
                self.acknowledged.append(f"t{number}")
            await asyncio.sleep(0.05)

    async def has(self, count: int) -> bool:
        """Tell whether so many were acknowledged."""
        return len(self.acknowledged) >= count


def targets(file: Path) -> set[str]:
    """Give the targets of all episodes in a database file."""
    with closing(sqlite3.connect(file)) as database:
        query = "SELECT json_extract(alert, '$.labels.target') FROM episodes"
        return {target for (target,) in database.execute(query)}


def copies_in(folder: Path) -> set[str]:
    """Give the names of the copies, whole or not, that lie in *folder*."""
    return {each.name for each in folder.glob("copy*")}


async def test_a_backup_under_load_holds_all_that_was_acknowledged(
    tmp_path: Path, sink: Receiver
) -> None:
    """A responder that is started on the copy knows each alert, and reports on all of them."""
    configure(tmp_path, sink)
    async with program(tmp_path) as running:
        load = Load(running)
        posting = asyncio.create_task(load.go_on())
        await eventually(lambda: load.has(20))
        before = set(load.acknowledged)
        code, printed = await back_up(tmp_path, "copy.db")
        during = len(load.acknowledged)
        posting.cancel()
    assert (code, during > len(before)) == (0, True), printed
    assert "stop the responder" in printed
    assert copies_in(tmp_path) == {"copy.db", "copy.workflows.db"}
    restored = tmp_path / "restored"
    (restored / "state").mkdir(parents=True)
    shutil.move(tmp_path / "copy.db", restored / "state" / "vigie.db")
    shutil.move(tmp_path / "copy.workflows.db", restored / "state" / "vigie.workflows.db")
    assert targets(restored / "state" / "vigie.db") >= before
    configure(restored, sink)
    async with program(restored) as again:

        async def all_reported() -> bool:
            return {each["state"] for each in await again.incidents()} == {"reported"}

        await eventually(all_reported, within_seconds=60)


def test_a_backup_never_overwrites(tmp_path: Path) -> None:
    """A file of that name, or of the one beside it, stays as it is, with a remedy."""
    (tmp_path / "responder.yml").write_text("database: vigie.db\n")
    for name in ("vigie.db", "vigie.workflows.db"):
        sqlite3.connect(tmp_path / name).execute("CREATE TABLE t (x)").connection.close()
    for taken in ("copy.db", "copy.workflows.db"):
        (tmp_path / taken).write_text("mine")
        ended = run_to_end(tmp_path, "backup", "--to=copy.db")
        assert ended.returncode == 1
        assert f"{taken}: there already; give another name" in ended.stderr
        assert (tmp_path / taken).read_text() == "mine"
        (tmp_path / taken).unlink()
    assert run_to_end(tmp_path, "backup", "--to=copy.db").returncode == 0


def test_a_backup_of_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """What cannot be read again is no backup: nothing is left under its name."""
    (tmp_path / "responder.yml").write_text("database: vigie.db\n")
    for name in ("vigie.db", "vigie.workflows.db"):
        with closing(sqlite3.connect(tmp_path / name)) as database:
            database.execute("CREATE TABLE t (x)")
            database.execute("CREATE INDEX i ON t (x)")
            rows = [(f"{number:05} {'x' * 100}",) for number in range(2000)]
            database.executemany("INSERT INTO t VALUES (?)", rows)
            database.commit()
    damaged = (tmp_path / "vigie.db").read_bytes()
    middle = len(damaged) // 2
    (tmp_path / "vigie.db").write_bytes(damaged[:middle] + b"\0" * 8192 + damaged[middle + 8192 :])
    ended = run_to_end(tmp_path, "backup", "--to=copy.db")
    assert ended.returncode == 1
    assert "check its disk" in ended.stderr or "see its disk" in ended.stderr
    assert copies_in(tmp_path) == set()


def test_a_backup_says_what_it_lacks(tmp_path: Path) -> None:
    """Without a name, a database, or a folder to write to, it ends with a remedy."""
    (tmp_path / "responder.yml").write_text("database: vigie.db\n")
    assert "name the file to write, with --to" in run_to_end(tmp_path, "backup").stderr
    missing = run_to_end(tmp_path, "backup", "--to=copy.db")
    assert "vigie.db: not there; start the responder on it once" in missing.stderr
    for name in ("vigie.db", "vigie.workflows.db"):
        sqlite3.connect(tmp_path / name).execute("CREATE TABLE t (x)").connection.close()
    nowhere = run_to_end(tmp_path, "backup", "--to=no/such/copy.db")
    assert nowhere.returncode == 1
    assert "give a folder with room" in nowhere.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the cluster runs on Linux")
def test_on_postgresql_it_names_the_command_that_works(tmp_path: Path, postgresql: Cluster) -> None:
    """The exit code is 2, no password is printed, and the printed command makes a dump."""
    url = postgresql.url("test_backup").replace("vigie@", "vigie:hush@")
    (tmp_path / "responder.yml").write_text(f"database: {url}\n")
    ended = run_to_end(tmp_path, "backup", "--to=dump")
    assert ended.returncode == 2
    assert "hush" not in ended.stdout + ended.stderr
    printed = ended.stdout.splitlines()[1].split()
    assert printed[0] == "pg_dump"
    (tmp_path / "responder.yml").unlink()
    made = asyncio.run(dumped([str(postgresql.programs / "pg_dump"), *printed[1:]], tmp_path))
    assert made == 0
    assert (tmp_path / "dump").stat().st_size > 0


async def dumped(argv: list[str], folder: Path) -> int:
    """Run the command that was printed; give its exit code."""
    process = await asyncio.create_subprocess_exec(*argv, cwd=folder)
    async with asyncio.timeout(60):
        return await process.wait()
