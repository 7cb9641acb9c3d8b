"""What the tests of finding and building programs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.stack.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine with nothing on PATH."""
    return Machine(tmp_path)
