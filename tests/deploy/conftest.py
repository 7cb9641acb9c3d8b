"""The programs that the compose file's images hold, as they are had on this machine."""

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
def programs(request: pytest.FixtureRequest) -> Mapping[str, Path]:
    """Return the paths of Prometheus and Alertmanager of the flavour asked for."""
    flavour = cast("Flavour", request.config.getoption("--stack"))
    found = provide(
        ("prometheus", "alertmanager"),
        flavour=flavour,
        root=cache_root(os.environ),
        environ=os.environ,
        progress=Progress(sys.stderr),
    )
    return {name: program.path for name, program in found.items()}
