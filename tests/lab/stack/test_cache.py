"""The cache of programs: whole or absent, checked, locked, and clean after killed runs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.stack.cache import Cache, Entry, cache_root
from lab.stack.progress import Progress

ENTRY = Entry(name="tool", key="1.2-go", version="1.2", source="go", origin="example/tool@v1.2")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Give an empty cache."""
    return Cache(tmp_path / "cache")


def _binary(folder: Path, text: str = "#!/bin/sh\n") -> Path:
    file = folder / "built"
    file.write_text(text)
    return file


def test_the_root_is_the_users_cache_folder(tmp_path: Path) -> None:
    """XDG_CACHE_HOME wins when absolute, else it is .cache in HOME."""
    home = {"HOME": str(tmp_path)}
    assert cache_root(home) == tmp_path / ".cache" / "vigie"
    assert cache_root(home | {"XDG_CACHE_HOME": "/var/cache"}) == Path("/var/cache/vigie")
    assert cache_root(home | {"XDG_CACHE_HOME": "relative"}) == tmp_path / ".cache" / "vigie"


def test_a_program_is_kept_by_name_and_version_with_its_checksum(
    cache: Cache, tmp_path: Path
) -> None:
    """What is put in is found again, can be run, and its record lies beside it."""
    kept = cache.put(_binary(tmp_path), ENTRY)
    assert kept.path == cache.root / "programs" / "tool" / "1.2-go" / "tool"
    assert os.access(kept.path, os.X_OK)
    assert cache.find("tool", "1.2-go") == kept
    assert cache.find("tool", "1.3-go") is None
    record = json.loads((kept.path.parent / "record.json").read_text())
    assert record["origin"] == ENTRY.origin
    assert record["size_bytes"] == 10
    assert len(record["sha256"]) == 64


@pytest.mark.parametrize("damage", ["bytes", "record", "no record", "mode", "gone"])
def test_a_damaged_program_counts_as_absent_and_can_be_put_again(
    cache: Cache, tmp_path: Path, damage: str
) -> None:
    """Changed bytes, a torn record, a lost mode: each is made anew, never started."""
    kept = cache.put(_binary(tmp_path), ENTRY)
    record = kept.path.parent / "record.json"
    match damage:
        case "bytes":
            kept.path.write_text("#!/bin/sh\nexit 1\n")
        case "record":
            record.write_text("{")
        case "no record":
            record.unlink()
        case "mode":
            kept.path.chmod(0o644)
        case _:
            kept.path.unlink()
    assert cache.find("tool", "1.2-go") is None
    assert cache.find("tool", "1.2-go") != cache.put(_binary(tmp_path), ENTRY)
    assert cache.find("tool", "1.2-go") == kept


def test_a_workspace_goes_with_its_job(cache: Cache) -> None:
    """Nothing half-made stays, whether the job ends well or not."""

    def fail(work: Path) -> None:
        (work / "half").write_text("made")
        raise RuntimeError

    with pytest.raises(RuntimeError), cache.workspace() as work:
        fail(work)
    assert list((cache.root / "tmp").iterdir()) == []


def _age(folder: Path) -> None:
    long_ago = time.time() - 3600
    os.utime(folder, (long_ago, long_ago))


def test_workspaces_of_killed_runs_are_cleared_and_those_of_living_ones_kept(cache: Cache) -> None:
    """A killed run's lock has fallen; a living one's holds; a fresh one is not yet judged."""
    tmp = cache.root / "tmp"
    with cache.workspace() as living:
        _age(living)
        for name in ("killed", "fresh"):
            (tmp / name).mkdir()
        _age(tmp / "killed")
        with cache.workspace():
            assert living.exists()
            assert not (tmp / "killed").exists()
            assert (tmp / "fresh").exists()


def test_two_runs_do_not_make_one_thing_at_once(cache: Cache) -> None:
    """The second waits, says so, and goes on when the first one is killed."""
    hold = (
        "import io, sys, time\n"
        "from pathlib import Path\n"
        "from lab.stack.cache import Cache\n"
        "from lab.stack.progress import Progress\n"
        "with Cache(Path(sys.argv[1])).lock('tool', Progress(io.StringIO())):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(0.7)\n"
        "    Path(sys.argv[1], 'made').touch()\n"
        "    time.sleep(60)\n"
    )
    argv = [sys.executable, "-c", hold, str(cache.root)]
    out = io.StringIO()
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        while not (cache.root / "made").exists():
            time.sleep(0.02)
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {other.pid}"])
        with cache.lock("tool", Progress(out)):
            assert killer.wait() == 0
    assert "waiting for another run" in out.getvalue()
