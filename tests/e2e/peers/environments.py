"""Environments of their own for third-party servers: one venv per lock file, kept in the cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from lab.stack.cache import Cache
from lab.stack.progress import Progress

INSTALL_TIMEOUT_SECONDS = 15 * 60


def environment(name: str, lock: Path, root: Path) -> Path:
    """Return the folder of a venv that holds what *lock* pins, built once per lock file.

    Raises subprocess.CalledProcessError with pip's output when it cannot be installed.
    """
    key = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = root / "environments" / f"{name}-{key}"
    with Cache(root).lock(f"environment-{name}", Progress(sys.stderr)):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, lock)
            (folder / "complete").touch()
    return folder


def _install(folder: Path, lock: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
    subprocess.run([*pip, "-r", str(lock)], check=True, timeout=INSTALL_TIMEOUT_SECONDS)
