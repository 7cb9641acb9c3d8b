"""The environment of the published rankers: where it is kept, how it is made, what it answers."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from responder.evaluation.cases import Case
from responder.evaluation.problem import EvaluationError

NAMES = ("BARO", "N-Sigma")
PACKAGE = "fse-baro 0.2.2"
INSTALL_TIMEOUT_SECONDS = 15 * 60.0
CASE_SECONDS = 60.0
_HERE = Path(__file__).parent / "rankers"
_LOCK = _HERE / "rankers.lock"


def environment(environ: Mapping[str, str]) -> Path:
    """Give the folder of the environment, which may not be there yet: one per lock and Python.

    Source of the place: the XDG Base Directory Specification, which ignores relative paths.
    """
    shared = Path(environ.get("XDG_CACHE_HOME") or "")
    if not shared.is_absolute():
        shared = Path(environ.get("HOME") or Path.home()) / ".cache"
    key = hashlib.sha256(_LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    return shared / "vigie" / "environments" / f"rankers-{key}"


def is_there(folder: Path) -> bool:
    """Say whether the environment is whole."""
    return (folder / "complete").exists()


def install(folder: Path, say: Callable[[str], object]) -> None:
    """Make the environment unless it is there: beside it first, then moved in whole.

    Raises EvaluationError when it cannot be made.
    """
    if is_there(folder):
        return
    say(f"gets {PACKAGE} into {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="rankers-", dir=folder.parent))
    try:
        _fill(fresh)
        (fresh / "complete").touch()
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    except (OSError, subprocess.SubprocessError) as error:
        if is_there(folder):
            return  # another run was faster
        remedy = "see what pip said, and try again"
        raise EvaluationError(folder, f"cannot be made ({error})", remedy) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _fill(folder: Path) -> None:
    making = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(making, check=True, timeout=120)
    pip = [sys.executable, "-m", "pip", "--python", str(_python(folder)), "install", "--quiet"]
    subprocess.run(
        [*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(_LOCK)],
        check=True,
        timeout=INSTALL_TIMEOUT_SECONDS,
        stdout=sys.stderr,
    )


def orders(folder: Path, cases: Sequence[Case]) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Give each peer's order of components for each case, by the peer and the case's id.

    Raises EvaluationError when they fail: an order that a failure left is no answer.
    """
    asked = "".join(json.dumps(_question(each)) + "\n" for each in cases)
    try:
        ended = subprocess.run(
            [str(_python(folder)), "-B", str(_HERE / "__main__.py")],
            input=asked,
            capture_output=True,
            text=True,
            timeout=CASE_SECONDS * max(len(cases), 1),
            check=False,
            env={"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        )
        answers = [json.loads(line) for line in ended.stdout.splitlines()]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _failed(folder, str(error)) from None
    if ended.returncode != 0 or len(answers) != len(cases):
        raise _failed(folder, (ended.stderr.strip().splitlines() or ["no reason given"])[-1])
    return {name: {each["id"]: each[name] for each in answers} for name in NAMES}


def _question(case: Case) -> Mapping[str, object]:
    return {
        "id": case.id,
        "path": str(case.path),
        "owners": case.names,
        "alert_index": case.alert_index,
    }


def _failed(folder: Path, reason: str) -> EvaluationError:
    remedy = "remove that folder and get the peers again"
    return EvaluationError(folder, f"the published rankers failed ({reason})", remedy)


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"
