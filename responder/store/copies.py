"""Copies of the SQLite files, taken while a responder runs and writes."""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa

from responder.store.engine import StoreError, workflows_url

_BUSY_SECONDS = 30.0
_LONGEST_PROBLEM = 300


def is_file(url: str) -> bool:
    """Tell whether the database is a SQLite file."""
    return sa.make_url(url).get_backend_name() == "sqlite"


def dump_command(url: str, to: Path) -> str:
    """Give the command that backs up a PostgreSQL database; it names no password."""
    parsed = sa.make_url(url)
    shown = sa.URL.create(
        "postgresql",
        username=parsed.username,
        host=parsed.host,
        port=parsed.port,
        database=parsed.database,
        query={name: value for name, value in parsed.query.items() if name != "password"},
    )
    return shlex.join(
        ["pg_dump", "--format=custom", f"--file={to}", shown.render_as_string(hide_password=True)]
    )


def copy(url: str, to: Path) -> Sequence[Path]:
    """Copy the database's two files to *to* and beside it; each appears whole or not at all.

    The workflows' file is copied first: an investigation that ends between the two copies is then
    begun again from its last step, where the other order would hold it for done and lose its
    report. Raises StoreError, and leaves no file behind, when a copy is there already or cannot
    be made.
    """
    wanted = [(_file(url), to), (_file(workflows_url(url)), _file_beside(to))]
    for source, target in wanted:
        if not source.is_file():
            raise StoreError(f"{source}: not there; start the responder on it once")
        if target.exists():
            raise StoreError(f"{target}: there already; give another name")
    fresh = [target.with_name(f"{target.name}.part") for _, target in wanted]
    try:
        for (source, _), part in reversed(list(zip(wanted, fresh, strict=True))):
            _copy_one(source, part)
        for (_, target), part in reversed(list(zip(wanted, fresh, strict=True))):
            part.rename(target)
        _sync_folder(to.parent)
    except OSError as error:
        raise StoreError(f"{to}: {error.strerror}; give a folder with room") from None
    finally:
        for part in fresh:
            part.unlink(missing_ok=True)
    return [target for _, target in wanted]


def _file_beside(to: Path) -> Path:
    return _file(workflows_url(f"sqlite:///{to}"))


def _file(url: str) -> Path:
    return Path(sa.make_url(url).database or "")


def _copy_one(source: Path, part: Path) -> None:
    """Copy one file, as one transaction sees it, and see that the copy is sound."""
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            closing(_opened(source)) as old,
            closing(_opened(part)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
            found = new.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.Error as error:
        problem = str(error)[:_LONGEST_PROBLEM]
        raise StoreError(f"{source}: {problem}; see its disk and the copy's") from None
    if found != [("ok",)]:
        problem = "; ".join(str(line) for (line,) in found)[:_LONGEST_PROBLEM]
        raise StoreError(f"{source}: its copy is damaged: {problem}; check its disk")
    with part.open("rb") as written:
        os.fsync(written.fileno())


def _opened(file: Path) -> sqlite3.Connection:
    """Open a file that is there; a reader of one in WAL mode writes beside it, so not `mode=ro`."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every file system can sync a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
