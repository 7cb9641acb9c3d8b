"""The programs that check the rules: the ones that the end-to-end tests run on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from lab.stack.cache import cache_root
from lab.stack.catalogue import Flavour
from lab.stack.progress import Progress
from lab.stack.provide import provide


@pytest.fixture(scope="session")
def checkers(request: pytest.FixtureRequest) -> Mapping[str, Path]:
    """Return the paths of promtool and amtool of the flavour asked for."""
    flavour = cast("Flavour", request.config.getoption("--stack"))
    found = provide(
        ("promtool", "amtool"),
        flavour=flavour,
        root=cache_root(os.environ),
        environ=os.environ,
        progress=Progress(sys.stderr),
    )
    return {name: program.path for name, program in found.items()}
