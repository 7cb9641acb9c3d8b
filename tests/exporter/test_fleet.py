"""What the fleet does about the program as a whole."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from exporter.fleet import settle


@pytest.fixture
def collector() -> Iterator[None]:
    """Leave the garbage collector as it was."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collector")
def test_what_is_loaded_is_not_looked_at_again() -> None:
    """What lives with the configuration is frozen, after a reload as well; the rest is not."""
    settle()
    first = gc.get_freeze_count()
    settle()
    assert 0.9 * first < gc.get_freeze_count() < 1.1 * first
    assert first > 1000
    assert gc.isenabled()
