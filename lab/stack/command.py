"""Runs one command to its end, with a log, a deadline and a sign of life."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from lab.stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.stack.progress import Progress

_TAIL_LINES = 15
_TAIL_BYTES = 16 * 1024
_KILLED_AFTER_SECONDS = 10.0


def tail(path: Path, lines: int = _TAIL_LINES) -> str:
    """Read the last lines of a log; empty where there is none."""
    try:
        with path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _TAIL_BYTES))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def run(  # noqa: PLR0913 - each is one property of the command, all named at the call
    argv: Sequence[str],
    *,
    doing: str,
    folder: Path,
    log: Path,
    environ: Mapping[str, str],
    timeout_seconds: float,
    remedy: str,
    progress: Progress,
) -> None:
    """Run a command in `folder`, its output appended to `log`, telling `progress` while it runs.

    Raises StackError, with the output's last lines, when it cannot start, fails, or is not done
    in time; the command's whole process group is ended then, and when this call is interrupted.
    """
    began = time.monotonic()
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                argv,
                cwd=folder,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise StackError(doing, f"cannot start {argv[0]}: {error.strerror}", remedy) from error
    try:
        code = _wait(process, doing, began + timeout_seconds, progress)
    except BaseException:
        _end_group(process)
        raise
    if code is None:
        _end_group(process)
        problem = f"not done within {timeout_seconds:.0f} s"
        raise StackError(doing, problem, remedy, output=tail(log))
    if code != 0:
        problem = f"{os.path.basename(argv[0])} ended with status {code}"  # noqa: PTH119 - argv
        raise StackError(doing, problem, remedy, output=tail(log))


def read(
    argv: Sequence[str], *, environ: Mapping[str, str], timeout_seconds: float = 30.0
) -> str | None:
    """Run a quick command and return what it printed (both streams); None when it failed."""
    try:
        done = subprocess.run(
            argv,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def _wait(
    process: subprocess.Popen[bytes], doing: str, deadline: float, progress: Progress
) -> int | None:
    began = time.monotonic()
    while (left := deadline - time.monotonic()) > 0:
        try:
            return process.wait(timeout=min(left, progress.still_every_seconds))
        except subprocess.TimeoutExpired:
            progress.still(f"{doing}: going on, {time.monotonic() - began:.0f} s so far")
    return None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=_KILLED_AFTER_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
