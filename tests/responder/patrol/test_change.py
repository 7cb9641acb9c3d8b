"""What counts as a change."""

from __future__ import annotations

import pytest

from responder.patrol.change import Change, Gate, fall, growth, rise

GATE = Gate(ratio=1.25, difference=0.1)


@pytest.mark.parametrize(
    ("now", "before", "found"),
    [
        ([2, 2, 2, 2], [1, 1, 1, 1], Change(before=1, now=2)),
        ([2, 2, 2], [1, 1, 1, 1], None),
        ([2, 2, 2, 2], [1, 1, 1], None),
        ([1.2, 1.2, 1.2, 1.2], [1, 1, 1, 1], None),
        ([0.09, 0.09, 0.09, 0.09], [0.01, 0.01, 0.01, 0.01], None),
        ([1, 9, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], None),
        ([2, 2, 2, 2, 2, 1], [1, 1, 1, 1, 1, 3], Change(before=1, now=2)),
        ([2, 2, 2, 2], [1, 2.1, 1, 2.1], None),
        ([3, 3, 3, 3], [1, 5, 2, 4], None),
        ([2, 2, 2, 2], [0, 0, 0, 0], Change(before=0, now=2)),
    ],
)
def test_a_rise_is_large_lasting_and_more_than_noise(
    now: list[float], before: list[float], found: Change | None
) -> None:
    """One strange piece on either side neither makes nor hides it."""
    assert rise(now, before, GATE) == found


def test_a_fall_is_a_rise_the_other_way_round() -> None:
    """Large enough and lasting, or nothing."""
    assert fall([1, 1, 1, 1], [2, 2, 2, 2], GATE) == Change(before=2, now=1)
    assert fall([1.9, 1.9, 1.9, 1.9], [2, 2, 2, 2], GATE) is None
    assert fall([1, 2, 2, 2], [2, 2, 2, 2], GATE) is None
    assert fall([1, 1, 1], [2, 2, 2, 2], GATE) is None


def test_a_growth_is_seen_within_one_window() -> None:
    """The last half lies over all of the first."""
    assert growth([1, 1, 1, 2, 3, 4], GATE) == Change(before=1, now=3)
    assert growth([1, 3, 1, 2, 3, 4], GATE) is None
    assert growth([1, 1, 1, 1, 1, 9], GATE) is None
    assert growth([1, 2, 3], GATE) is None


def test_what_was_nothing_has_risen_without_bound() -> None:
    """A ratio to nothing is infinite, not an error."""
    assert Change(before=0, now=2).ratio == float("inf")
