"""Tests in their long form: what the short form shows in seconds, at full size."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.chaos.scene import ChaosError

FUZZ = ("tests/responder/test_fuzz.py", "--fuzz", "long")
DOWN = (
    "tests/e2e/test_comparison.py::test_what_fired_and_was_over_while_we_were_down_is_seen_late",
)
"""How long it is down it reads from `VIGIE_DOWN_SECONDS`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """How some tests ended: pytest's last line, and the names of those that failed."""

    said: str
    failed: tuple[str, ...]


async def play(
    tests: Sequence[str],
    *,
    root: Path,
    log: Path,
    environ: Mapping[str, str],
    within_seconds: float,
) -> Suite:
    """Run tests of the tree at *root*; raises ChaosError when none ran or it took too long."""
    argv = (sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *tests)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=root,
            env={**environ, "PYTHONPATH": str(root)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(within_seconds):
                status = await process.wait()
        except TimeoutError:
            raise ChaosError(f"pytest: not done within {within_seconds:g} s; see {log}") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return read(status, await asyncio.to_thread(log.read_text, errors="replace"))


def read(status: int, text: str) -> Suite:
    """Read what pytest printed; raises ChaosError when it ran no test to its end."""
    lines = text.strip().splitlines() or [""]
    failed = tuple(line for line in lines if line.startswith(("FAILED ", "ERROR ")))
    if status not in (0, 1) or (status == 1 and not failed):
        raise ChaosError(f"pytest: exit status {status}: {lines[-1]}")
    return Suite(said=lines[-1].strip("= "), failed=failed)
