"""What all tests share: the stack they run on, and no clock for Hypothesis."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import hypothesis
import pytest

from lab.stack.cache import cache_root
from lab.stack.catalogue import Flavour
from lab.stack.postgres import Cluster, cluster
from lab.stack.progress import Progress
from lab.stack.provide import provide

# A noisy machine makes a slow example, not a failing one.
hypothesis.settings.register_profile("vigie", deadline=None)
hypothesis.settings.load_profile("vigie")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose the stack: any (PATH, else Debian's, else built), debian, or current."""
    parser.addoption("--stack", choices=("any", "debian", "current"), default="any")
    parser.addoption("--fuzz", choices=("short", "long"), default="short", help="how many posts")


# What takes longest begins first, so that no worker is left with it in the end.
_FIRST = ("tests/e2e/", "tests/responder/test_replicas", "tests/responder/")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares a module's fixtures with one worker, and put the long ones first."""
    for item in items:
        if isinstance(item, pytest.Function) and _shares(item):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=_turn)


def _shares(test: pytest.Function) -> bool:
    """Tell whether a test uses a fixture that lives as long as its module or its class."""
    known = test._fixtureinfo.name2fixturedefs
    fixtures = [known[name][-1] for name in test.fixturenames if name in known]
    return any(fixture.scope in {"module", "class", "package"} for fixture in fixtures)


def _turn(item: pytest.Item) -> int:
    matches = (turn for turn, start in enumerate(_FIRST) if item.nodeid.startswith(start))
    return next(matches, len(_FIRST))


@pytest.fixture(scope="session")
def cache() -> Path:
    """Return the folder where programs and environments are kept between runs."""
    return cache_root(os.environ)


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest, cache: Path) -> Mapping[str, Path]:
    """Return the paths of the stack's four programs, of the flavour that the run asks for."""
    flavour = cast("Flavour", request.config.getoption("--stack"))
    found = provide(flavour=flavour, root=cache, environ=os.environ, progress=Progress(sys.stderr))
    return {name: program.path for name, program in found.items()}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """Run a real PostgreSQL for the whole run."""
    with cluster(os.environ) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a new, empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vigie.db'}"
    server: Cluster = request.getfixturevalue("postgresql")
    return server.url(f"test_{uuid.uuid4().hex}")
