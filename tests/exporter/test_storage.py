"""What of a day's budget outlasts a restart, a broken file and a disk that refuses."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from exporter import storage
from exporter.budget import Hold, Ledger
from exporter.instruments import Instruments
from exporter.storage import Keeper, Storage
from exporter.target import Budget
from tests.exporter.world import chat

NOW = 20_000 * 86_400.0 + 5000
DAY = 86_400.0
PATHS = ("budget.json", "budget.json.before")
ODD = (
    b"",
    b"{",
    b"\x00\xff",
    b"[]",
    b"null",
    b'{"schema_version": "1"}',
    b'{"schema_version": 1, "day": 3, "total": {"tokens": -1, "since": 0}, "targets": {}}',
    b'{"schema_version": 1, "day": 3, "total": {"tokens": 1, "since": 0}, "targets": {"a": 2}}',
    b'{"schema_version": 1, "day": 3, "total": {"tokens": 1, "since": 1e99}, "targets": {}}',
    b"[" * 100_000,
)


@pytest.fixture(autouse=True)
def _every_level() -> None:
    """Let no level that another test has chosen hide a line."""
    structlog.reset_defaults()


def spent(ledger: Ledger, tokens: int, now: float = NOW) -> None:
    """Have a run of target t cost this."""
    own = ledger.budget_of(chat(budget=Budget(tokens_per_day=100_000)))
    assert isinstance(ledger.hold(tokens, now, own), Hold)


def listed(folder: Path) -> set[str]:
    """Name the files there."""
    return {path.name for path in folder.iterdir()}


def failures(instruments: Instruments, operation: str) -> float | None:
    """Return how often it failed."""
    name = "vigie_exporter_storage_failures_total"
    return instruments.registry.get_sample_value(name, {"operation": operation})


async def restarted(folder: Path, now: float = NOW) -> Ledger:
    """Start on a folder, and stop; return what was known."""
    ledger = Ledger()
    async with storage.kept(ledger, folder, Instruments(), lambda: now):
        pass
    return ledger


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    """What is spent, by whom, and since when the day's share counts, is there again."""
    ledger = Ledger()
    async with storage.kept(ledger, tmp_path / "new" / "folder", Instruments(), lambda: NOW):
        spent(ledger, 400)
    again = await restarted(tmp_path / "new" / "folder")
    assert again.figures(NOW) == (None, 400)
    assert again.total.since == ledger.total.since == NOW
    budget = again.budget_of(chat(budget=Budget(tokens_per_day=900)))
    assert (budget.remaining, budget.since) == (500, NOW)


async def test_another_day_begins_anew(tmp_path: Path) -> None:
    """Yesterday's spending is over, and today's share counts from midnight on."""
    ledger = Ledger()
    async with storage.kept(ledger, tmp_path, Instruments(), lambda: NOW):
        spent(ledger, 400)
    again = await restarted(tmp_path, NOW + DAY)
    assert again.figures(NOW + DAY) == (None, 0)
    assert again.total.since == 20_001 * DAY
    assert not list(again.spent(NOW + DAY))


async def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    """It is a choice, and there is no keeper then."""
    async with storage.kept(Ledger(), None, Instruments(), lambda: NOW) as keeper:
        assert keeper is None
    assert not listed(tmp_path)


async def test_a_run_that_was_killed_counts(tmp_path: Path) -> None:
    """What was set aside for runs in flight is in the file already."""
    ledger, store = Ledger(), Storage(tmp_path, Instruments())
    keeper = Keeper(ledger, store, wall_clock=lambda: NOW)
    spent(ledger, 70)
    await keeper.save()
    assert (await restarted(tmp_path)).figures(NOW) == (None, 70)


async def test_writes_are_bounded(tmp_path: Path) -> None:
    """A thousand runs in ten seconds are one write, and none is made when nothing changed."""
    ledger, slept = Ledger(), list[float]()
    written = list[int]()

    class Counting(Storage):
        def write(self, content: bytes) -> bool:
            written.append(orjson.loads(content)["total"]["tokens"])
            return super().write(content)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) < 4:
            for _ in range(1000):
                spent(ledger, 1)
        if len(slept) > 6:
            raise asyncio.CancelledError

    store = Counting(tmp_path, Instruments())
    keeper = Keeper(ledger, store, wall_clock=lambda: NOW, sleep=sleep)
    with suppress(asyncio.CancelledError):
        await keeper.run()
    assert set(slept) == {storage.WRITE_SECONDS}
    assert written == [1000, 2000, 3000]


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
async def test_a_broken_file_is_set_aside_and_the_one_before_counts(
    tmp_path: Path, content: bytes
) -> None:
    """It is told once, counted and kept to be looked at; the copy before is used."""
    ledger, instruments = Ledger(), Instruments()
    store = Storage(tmp_path, instruments)
    keeper = Keeper(ledger, store, wall_clock=lambda: NOW)
    for _ in range(2):
        spent(ledger, 30)
        await keeper.save()
    (tmp_path / "budget.json").write_bytes(content)
    with capture_logs() as logs:
        saved = store.read()
    assert saved is not None
    assert saved.total.tokens == 30
    assert [each["log_level"] for each in logs] == ["warning"]
    assert logs[0]["path"].endswith("budget.json")
    assert failures(instruments, "read") == 1
    assert (tmp_path / "budget.json.unreadable").read_bytes() == content


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
async def test_with_both_files_broken_it_goes_on(tmp_path: Path, content: bytes) -> None:
    """The day's share counts from now; both are set aside, and the next write is good."""
    for name in PATHS:
        (tmp_path / name).write_bytes(content)
    ledger, instruments = Ledger(), Instruments()
    async with storage.kept(ledger, tmp_path, instruments, lambda: NOW):
        spent(ledger, 30)
    assert failures(instruments, "read") == 2
    assert listed(tmp_path) == {"budget.json", *(f"{name}.unreadable" for name in PATHS)}
    assert (await restarted(tmp_path)).figures(NOW) == (None, 30)


async def test_a_newer_programs_file_is_not_overwritten(tmp_path: Path) -> None:
    """It is set aside with its schema named, so that the newer program can have it back."""
    content = b'{"schema_version": 2, "day": {"begin": 3}}'
    (tmp_path / "budget.json").write_bytes(content)
    with capture_logs() as logs:
        assert Storage(tmp_path, Instruments()).read() is None
    assert "schema 2" in logs[0]["error"]
    assert (tmp_path / "budget.json.unreadable").read_bytes() == content


async def test_a_file_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the bound is read of it."""
    monkeypatch.setattr(storage, "_MOST_BYTES", 100)
    (tmp_path / "budget.json").write_bytes(b" " * 1000)
    with capture_logs() as logs:
        assert Storage(tmp_path, Instruments()).read() is None
    assert "longer than 100 bytes" in logs[0]["error"]


async def test_a_folder_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    """It is told once, counted each time, tried again, and told when it works again."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    ledger, instruments = Ledger(), Instruments()
    keeper = Keeper(ledger, Storage(blocked, instruments), wall_clock=lambda: NOW)
    spent(ledger, 30)
    with capture_logs() as logs:
        for _ in range(3):
            await keeper.save()
        assert failures(instruments, "write") == 3
        blocked.unlink()
        await keeper.save()
        await keeper.save()
    assert [each["log_level"] for each in logs] == ["warning", "info"]
    assert failures(instruments, "write") == 3
    assert (await restarted(blocked)).figures(NOW) == (None, 30)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_half_way_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever a write breaks off, one of the two files is whole."""
    ledger, instruments = Ledger(), Instruments()
    store = Storage(tmp_path, instruments)
    spent(ledger, 30)
    assert store.write(storage.content_of(ledger, NOW))

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    else:
        real = Path.replace
        monkeypatch.setattr(
            Path,
            "replace",
            lambda path, to: refuse() if path.name.endswith(".new") else real(path, to),
        )
    spent(ledger, 30)
    assert not store.write(storage.content_of(ledger, NOW))
    monkeypatch.undo()
    saved = Storage(tmp_path, instruments).read()
    assert saved is not None
    assert saved.total.tokens == 30
    assert failures(instruments, "read") == 0


async def test_a_disk_that_hangs_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last write has a limit of its own."""
    monkeypatch.setattr(storage, "_LAST_SECONDS", 0.01)
    ledger = Ledger()

    async def hang(_: Keeper) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Keeper, "save", hang)
    async with asyncio.timeout(30), storage.kept(ledger, tmp_path, Instruments(), lambda: NOW):
        spent(ledger, 1)
    assert not listed(tmp_path)
