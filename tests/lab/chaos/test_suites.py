"""How tests in their long form are run, and what is read of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.chaos.scene import ChaosError
from lab.chaos.suites import DOWN, FUZZ, play, read
from tests.tree import ROOT


def written(folder: Path, body: str) -> list[str]:
    """Write a test with this body, and give the arguments that run it."""
    file = folder / "test_one.py"
    file.write_text(f"def test_one():\n    {body}\n", encoding="utf-8")
    return [f"--rootdir={folder}", "-c", os.devnull, str(file)]


@pytest.mark.parametrize(("body", "failed"), [("pass", 0), ("assert False", 1)])
async def test_a_suite_is_run_and_its_failures_named(
    tmp_path: Path, body: str, failed: int
) -> None:
    """What passes leaves nothing to say; what fails is named."""
    log = tmp_path / "pytest.log"
    tests = written(tmp_path, body)
    suite = await play(tests, root=ROOT, log=log, environ=os.environ, within_seconds=60)
    assert len(suite.failed) == failed
    assert suite.said.startswith("1 failed" if failed else "1 passed")


async def test_a_suite_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """After its time it is stopped, and that is a failure of the run."""
    log = tmp_path / "pytest.log"
    tests = written(tmp_path, "import time; time.sleep(600)")
    with pytest.raises(ChaosError, match="not done within 1 s"):
        await play(tests, root=ROOT, log=log, environ=os.environ, within_seconds=1)


@pytest.mark.parametrize("status", [1, 2, 4, 5])
def test_a_suite_without_a_result_is_no_success(status: int) -> None:
    """Interrupted, wrongly called or empty: no run of tests says nothing went wrong."""
    with pytest.raises(ChaosError, match=f"exit status {status}"):
        read(status, "no tests ran in 0.01s")


def test_the_long_forms_name_tests_that_are_there() -> None:
    """Each run names a file of this tree, and in it the test that it wants."""
    for tests in (FUZZ, DOWN):
        file, _, name = tests[0].partition("::")
        assert name in (ROOT / file).read_text(encoding="utf-8")
