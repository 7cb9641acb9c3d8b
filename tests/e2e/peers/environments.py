"""Environments of their own for third-party servers: one venv per lock file, kept in the cache."""

from __future__ import annotations

import ctypes.util
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.stack.cache import Cache
from lab.stack.progress import Progress

INSTALL_TIMEOUT_SECONDS = 15 * 60

HERE = Path(__file__).parent
OLDEST_REFUSED = {"mlserver": (3, 13), "kserve": (3, 14), "litellm": (3, 15)}
"""The first Python that each one's own metadata refuses."""

TRITON = "pytriton"
_SYSTEM_PYTHON = Path("/usr/bin/python3")
_NEWEST_OF_TRITON = (3, 13)
_VERSION = "import sys; print(*sys.version_info[:2])"


def environment(name: str, root: Path) -> Path:
    """Return the folder of a venv that holds what *name*.lock pins, built once per lock file.

    Skips the test, with the reason, where the peer does not go with this Python. Raises
    subprocess.CalledProcessError with pip's output when it cannot be installed.
    """
    refused = OLDEST_REFUSED.get(name)
    if refused is not None and sys.version_info[:2] >= refused:
        pytest.skip(f"{name} is not for Python {sys.version_info[0]}.{sys.version_info[1]}")
    return _built(name, root, Path(sys.executable), sys.version)


def triton_environment(root: Path) -> Path:
    """Return the folder of pytriton's venv, on the system's Python.

    The server that it brings loads the interpreter as a shared library, which Pythons built from
    source (pyenv's) do not have. Skips the test, with the reason, where there is no such Python.
    """
    if not _SYSTEM_PYTHON.exists():
        pytest.skip(f"pytriton needs a Python with a shared library; there is no {_SYSTEM_PYTHON}")
    said = subprocess.run(
        [_SYSTEM_PYTHON, "-c", _VERSION], check=True, timeout=60, capture_output=True, text=True
    )
    version = tuple(int(part) for part in said.stdout.split())
    if not (3, 11) <= version <= _NEWEST_OF_TRITON:
        pytest.skip(f"pytriton's server is for Python 3.11 to 3.13, not {_SYSTEM_PYTHON}'s")
    if ctypes.util.find_library(f"python{version[0]}.{version[1]}") is None:
        pytest.skip(f"pytriton's server needs the shared library of {_SYSTEM_PYTHON}")
    return _built(TRITON, root, _SYSTEM_PYTHON, said.stdout)


def _built(name: str, root: Path, python: Path, version: str) -> Path:
    lock = HERE / f"{name}.lock"
    key = hashlib.sha256(lock.read_bytes() + version.encode()).hexdigest()[:16]
    folder = root / "environments" / f"{name}-{key}"
    with Cache(root).lock(f"environment-{name}", Progress(sys.stderr)):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, lock, python)
            (folder / "complete").touch()
    return folder


def _install(folder: Path, lock: Path, python: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Without pip, which a system's Python may lack; ours installs into it.
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    subprocess.run(
        [*pip, "--quiet", "--require-hashes", "-r", str(lock)],
        check=True,
        timeout=INSTALL_TIMEOUT_SECONDS,
    )
