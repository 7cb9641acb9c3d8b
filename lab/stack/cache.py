"""Where programs are kept: by name and version, outside the checkout, put there in one move."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lab.stack.progress import Progress

_RECORD = "record.json"
_LOCK_PAUSE_SECONDS = 0.2
_NEW_SECONDS = 60.0
_LOCK_TIMEOUT_SECONDS = 45 * 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A program that can be started; `path` is absolute, `source` is `path`, `debian` or `go`."""

    name: str
    version: str
    path: Path
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a kept program is: `key` is its folder's name, `origin` the package it is from."""

    name: str
    key: str
    version: str
    source: str
    origin: str


def cache_root(environ: Mapping[str, str]) -> Path:
    """Find this project's folder in the user's cache: XDG_CACHE_HOME, else ~/.cache.

    Source: the XDG Base Directory Specification, which has relative paths ignored.
    """
    shared = Path(environ.get("XDG_CACHE_HOME") or "")
    if not shared.is_absolute():
        shared = Path(environ.get("HOME") or Path.home()) / ".cache"
    return shared / "vigie"


class Cache:
    """Kept programs: `programs/<name>/<key>/<name>`, with `record.json` beside each.

    A folder under that name is whole or absent: it is filled under `tmp/` and renamed.
    """

    def __init__(self, root: Path) -> None:
        """Keep programs under `root`, which is made when first needed."""
        self.root = root

    def find(self, name: str, key: str) -> Program | None:
        """Return a kept program whose bytes still have the recorded checksum; else None."""
        folder = self._folder(name, key)
        path = folder / name
        try:
            record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
            entry = Entry(**{field: record[field] for field in Entry.__slots__})
            sums = {name: record["sha256"]} | record.get("beside", {})
            whole = os.access(path, os.X_OK) and sums == {
                file: _sha256(folder / file) for file in sums
            }
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return _program(entry, path) if whole else None

    def put(self, file: Path, entry: Entry, beside: Mapping[str, Path] | None = None) -> Program:
        """Move a finished binary in, replacing what is there; returns it at its new place.

        `beside` are further files and folders that it needs, by the names they get beside it.
        """
        folder = self._folder(entry.name, entry.key)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with self.workspace() as work:
            fresh = work / "fresh"
            fresh.mkdir()
            path = fresh / entry.name
            shutil.move(file, path)
            path.chmod(0o755)
            for name, needed in (beside or {}).items():
                shutil.move(needed, fresh / name)
            record = asdict(entry) | {
                "sha256": _sha256(path),
                "size_bytes": path.stat().st_size,
                "beside": _sums(fresh, but=path),
            }
            (fresh / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
            if folder.exists():
                folder.rename(work / "old")
            fresh.rename(folder)
        return _program(entry, folder / entry.name)

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """Make a folder for one job, deleted when the job ends; also clears what killed runs left.

        It lies in the cache, so that a rename from it is one move on one file system. Whether the
        run that made a folder still lives is told by its lock on it, which falls with the process.
        """
        tmp = self.root / "tmp"
        tmp.mkdir(parents=True, exist_ok=True)
        self._sweep(tmp)
        work = Path(tempfile.mkdtemp(dir=tmp))
        descriptor = os.open(work, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            os.close(descriptor)

    @contextlib.contextmanager
    def lock(self, what: str, progress: Progress) -> Iterator[None]:
        """Hold the lock `what` against other runs; it falls with the process that holds it.

        Raises StackError when another run keeps it for 45 minutes.
        """
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{what}.lock").open("w") as file:
            self._take(file.fileno(), what, progress)
            yield

    def _folder(self, name: str, key: str) -> Path:
        return self.root / "programs" / name / key

    def _take(self, descriptor: int, what: str, progress: Progress) -> None:
        began = told = time.monotonic()
        first = True
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            now = time.monotonic()
            if now - began > _LOCK_TIMEOUT_SECONDS:
                problem = f"another run has held the lock for {now - began:.0f} s"
                raise StackError(what, problem, "end that run, or wait for it, and try again")
            if first or now - told >= progress.still_every_seconds:
                progress.still(f"{what}: waiting for another run that is getting it")
                first, told = False, now
            time.sleep(_LOCK_PAUSE_SECONDS)

    @staticmethod
    def _sweep(tmp: Path) -> None:
        for left in tmp.iterdir():
            if _is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)


def _program(entry: Entry, path: Path) -> Program:
    return Program(name=entry.name, version=entry.version, path=path, source=entry.source)


def _is_abandoned(work: Path) -> bool:
    try:
        # A folder is made a moment before it is locked: a new one is never taken for abandoned.
        if time.time() - work.stat().st_mtime < _NEW_SECONDS:
            return False
        descriptor = os.open(work, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _sums(folder: Path, *, but: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != but)
    return {str(file.relative_to(folder)): _sha256(file) for file in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
