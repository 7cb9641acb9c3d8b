"""Debian's PostgreSQL in the cache, for machines without one; nothing is installed."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab.stack.cache import Cache, cache_root
from lab.stack.command import read, run
from lab.stack.errors import StackError
from lab.stack.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = "PostgreSQL"
_REMEDY = "apt-get install postgresql"
_TIMEOUT_SECONDS = 5 * 60.0


def unpacked(environ: Mapping[str, str]) -> Path:
    """Give the folder of the unpacked server's programs, unpacking it when it is not there yet.

    The tree finds its own data, wherever it lies; its libraries are below `usr/lib`. Raises
    StackError where apt is not there or has none.
    """
    cache, progress = Cache(cache_root(environ)), Progress(sys.stderr)
    kept = cache.root / "trees" / "postgresql"
    with cache.lock("postgresql-debian", progress), cache.workspace() as work:
        if not _programs(kept):
            progress.step("unpack Debian's postgresql")
            tree = _tree(work, {**environ, "LC_ALL": "C"}, progress)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(kept, ignore_errors=True)
            tree.rename(kept)
    return _programs(kept)[0]


def library_path(programs: Path) -> str:
    """Give where the libraries of an unpacked server lie, colon-separated, for its loader."""
    usr = programs.parents[3]
    return ":".join(str(folder) for folder in sorted((usr / "lib").glob("*-linux-*")))


def _programs(tree: Path) -> list[Path]:
    return sorted((tree / "usr/lib/postgresql").glob("*/bin"))


def _tree(work: Path, environ: Mapping[str, str], progress: Progress) -> Path:
    options = _lists(work, environ, progress)
    printed = read(["apt-cache", *options, "depends", "postgresql"], environ=environ) or ""
    match = re.search(r"Depends: (postgresql-(\d+))\b", printed)
    if match is None:
        raise StackError(_NAME, "not on this machine, and apt knows none", _REMEDY)
    wanted = {match[1], f"postgresql-client-{match[2]}", "libpq5"}
    wanted |= _missing(match[1], options, environ)
    _run(["apt-get", *options, "download", *sorted(wanted)], work, environ, progress)
    tree = work / "tree"
    for package in sorted(work.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(tree)], work, environ, progress)
    return tree


def _lists(work: Path, environ: Mapping[str, str], progress: Progress) -> list[str]:
    """Give apt's options; where the machine has no package lists, fetch them for this run."""
    if "postgresql-" in (read(["apt-cache", "depends", "postgresql"], environ=environ) or ""):
        return []
    for name in ("lists/partial", "cache/archives/partial"):
        (work / "apt" / name).mkdir(parents=True)
    options = [
        *("-o", f"Dir::State::Lists={work}/apt/lists"),
        *("-o", f"Dir::Cache={work}/apt/cache"),
    ]
    _run(["apt-get", *options, "update"], work, environ, progress)
    return options


def _missing(package: str, options: list[str], environ: Mapping[str, str]) -> set[str]:
    """Give the packages that its installation would add, such as its libraries."""
    asked = ["apt-get", *options, "install", "--print-uris", "--no-install-recommends", "-y"]
    printed = read([*asked, package], environ=environ) or ""
    files = re.findall(r"^'[^']+' (\S+?)_\S+\.deb ", printed, re.MULTILINE)
    return {name for name in files if name.startswith("lib") and not name.endswith("-dev")}


def _run(argv: list[str], work: Path, environ: Mapping[str, str], progress: Progress) -> None:
    run(
        argv,
        doing=f"Debian's {_NAME}",
        folder=work,
        log=work / "log",
        environ=environ,
        timeout_seconds=_TIMEOUT_SECONDS,
        remedy=f"see the output below; or {_REMEDY}",
        progress=progress,
    )
