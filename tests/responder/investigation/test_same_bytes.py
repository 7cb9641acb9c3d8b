"""The same evidence gives the same report, in whatever process it is read."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.responder.investigation.test_truths import TRUTHS


def told(hash_seed: int, *arguments: str) -> list[str]:
    """Investigate every trouble in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.responder.investigation.told_again", *arguments],
        env=dict(os.environ) | {"PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_evidence_read_again_gives_the_same_report_byte_for_byte() -> None:
    """Neither another process's order of sets nor the way through the store changes a byte."""
    first, again = told(1), told(4_000_000_000, "stored")
    assert len(first) == len(TRUTHS)
    assert first == again
