"""Keeps what was spent over a restart: one small file, written whole, read with suspicion."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

import orjson
import pydantic
import structlog
from pydantic import Field

from exporter.budget import Ledger, TokenBudget
from exporter.instruments import Instruments
from toolkit.settings import Settings

log = structlog.get_logger(__name__)

SCHEMA_VERSION = 1
WRITE_SECONDS = 10.0
_MOST_BYTES = 1 << 26
_LAST_SECONDS = 3.0

Count = Annotated[int, Field(ge=0, le=10**15)]
Timestamp = Annotated[float, Field(ge=0, le=1e11)]


class StorageError(Exception):
    """What was kept cannot be used; the text says why."""


class Spent(Settings):
    """What one budget's runs cost on the day, and from when its share of the day counts."""

    tokens: Count
    since: Timestamp


class Saved(Settings):
    """The file: a day (in days since 1970, UTC) and what was spent on it."""

    schema_version: Literal[1]
    day: Count
    total: Spent
    targets: Mapping[str, Spent]


class Storage:
    """The folder: the file, the one before it, and what could not be read, kept aside."""

    def __init__(self, folder: Path, instruments: Instruments) -> None:
        self.path = folder / "budget.json"
        self._before = folder / "budget.json.before"
        self._failures = instruments.storage_failures
        self._one_at_a_time = threading.Lock()
        self._works = True

    def read(self) -> Saved | None:
        """Return what was kept, from the file before where this one is no good; None for nothing.

        Never raises; what cannot be read is told, counted and set aside.
        """
        for path in (self.path, self._before):
            try:
                with path.open("rb") as file:
                    return parsed(file.read(_MOST_BYTES + 1))
            except FileNotFoundError:
                continue
            except (OSError, StorageError) as error:
                self._failures.labels("read").inc()
                log.warning(
                    "what was spent today cannot be read; the budget counts from now or from the"
                    " copy before",
                    path=str(path),
                    error=str(error),
                    set_aside=self._set_aside(path),
                )
        return None

    def _set_aside(self, path: Path) -> str:
        aside = path.with_name(f"{path.name}.unreadable")
        with suppress(OSError):
            path.replace(aside)
            return str(aside)
        return ""

    def write(self, content: bytes) -> bool:
        """Replace the file as one step; tell whether that worked. Never raises for the disk."""
        with self._one_at_a_time:
            try:
                self._replace(content)
            except OSError as error:
                self._failures.labels("write").inc()
                if self._works:
                    log.warning(
                        "what was spent today cannot be kept; a restart would forget it, the runs"
                        " go on, and it is tried again",
                        path=str(self.path),
                        error=str(error),
                    )
                self._works = False
            else:
                if not self._works:
                    log.info("what was spent today is kept again", path=str(self.path))
                self._works = True
            return self._works

    def _replace(self, content: bytes) -> None:
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / "budget.json.new"
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            self.path.replace(self._before)
        fresh.replace(self.path)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def parsed(content: bytes) -> Saved:
    """Read the file's content; raises StorageError when it is none, or of a newer program."""
    if len(content) > _MOST_BYTES:
        raise StorageError(f"longer than {_MOST_BYTES} bytes")
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise StorageError("not JSON") from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise StorageError(
            f"of schema {version}, written by a newer program; this one knows {SCHEMA_VERSION}"
        )
    try:
        return Saved.model_validate(data)
    except pydantic.ValidationError as error:
        raise StorageError(f"not of its form ({error.error_count()} faults)") from None


def content_of(ledger: Ledger, now: float) -> bytes:
    """Return the file's content: the day's spending."""
    _, spent = ledger.figures(now)
    targets = {
        name: {"tokens": budget.spent_tokens, "since": budget.since}
        for name, budget in ledger.spent(now)
    }
    return orjson.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "day": ledger.total.day,
            "total": {"tokens": spent, "since": ledger.total.since},
            "targets": targets,
        }
    )


def restore(ledger: Ledger, saved: Saved) -> None:
    """Have the ledger go on from what was kept; another day's spending ends with its next turn."""
    ledger.restore(
        _budget(saved.total, saved.day),
        {name: _budget(spent, saved.day) for name, spent in saved.targets.items()},
    )


def _budget(spent: Spent, day: int) -> TokenBudget:
    return TokenBudget(tokens_per_day=None, spent_tokens=spent.tokens, day=day, since=spent.since)


class Keeper:
    """Writes the ledger where it has changed, at most every ten seconds."""

    def __init__(
        self,
        ledger: Ledger,
        storage: Storage,
        *,
        wall_clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._storage = storage
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._kept_version = ledger.version

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._sleep(WRITE_SECONDS)
            await self.save()

    async def save(self) -> None:
        """Write once, if there is something new."""
        version = self._ledger.version
        if version == self._kept_version:
            return
        content = content_of(self._ledger, self._wall_clock())
        if await asyncio.to_thread(self._storage.write, content):
            self._kept_version = version


@asynccontextmanager
async def kept(
    ledger: Ledger,
    folder: Path | None,
    instruments: Instruments,
    wall_clock: Callable[[], float],
) -> AsyncIterator[Keeper | None]:
    """Read what was kept, and write it a last time at the end; without a folder, neither."""
    if folder is None:
        yield None
        return
    storage = Storage(folder, instruments)
    saved = await asyncio.to_thread(storage.read)
    if saved is not None:
        restore(ledger, saved)
    keeper = Keeper(ledger, storage, wall_clock=wall_clock)
    try:
        yield keeper
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(keeper.save(), _LAST_SECONDS)
