"""How often the interpreter looks for cycles, once the responder has started."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from responder.collector import collect_rarely


@pytest.fixture
def as_before() -> Iterator[None]:
    """Leave the collector as it was."""
    limits = gc.get_threshold()
    yield
    gc.set_threshold(*limits)
    gc.unfreeze()


@pytest.mark.usefixtures("as_before")
def test_a_batch_is_not_gone_through_while_it_is_taken_in() -> None:
    """What was there at the start is left out, and thousands of new objects are no reason yet."""
    collect_rarely()
    assert gc.get_freeze_count() > 0
    before = sum(each["collections"] for each in gc.get_stats())
    batch = [[number] for number in range(5000)]
    assert sum(each["collections"] for each in gc.get_stats()) == before
    assert len(batch) == 5000


@pytest.mark.usefixtures("as_before")
def test_cycles_are_still_found() -> None:
    """It is put off, not turned off."""
    collect_rarely()
    before = sum(each["collections"] for each in gc.get_stats())
    for _ in range(40_000):
        cycle: list[object] = []
        cycle.append(cycle)
    assert sum(each["collections"] for each in gc.get_stats()) > before
