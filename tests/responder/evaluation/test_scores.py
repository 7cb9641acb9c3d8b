"""The scores: pessimistic in ties, honest about chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.evaluation.scores import NOT_NAMED, chance, place, place_in, score


def test_a_tie_counts_against() -> None:
    """Three with the highest score: the true one is third."""
    assert place({"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.5}, "b") == 3
    assert place({"a": 1.0, "b": 2.0}, "b") == 1


def test_who_is_not_named_has_no_place() -> None:
    """Neither by scores nor by order."""
    assert place({"a": 1.0}, "b") == NOT_NAMED
    assert place_in(["a"], "b") == NOT_NAMED
    assert place_in(["a", "b"], "b") == 2


def test_scores_are_shares_of_cases() -> None:
    """Places 1, 2, 4 and nowhere."""
    found = score([1, 2, 4, NOT_NAMED])
    assert found.ac1 == 0.25
    assert found.ac3 == 0.5
    assert found.avg5 == pytest.approx((0.25 + 0.5 + 0.5 + 0.75 + 0.75) / 5)


@given(st.lists(st.integers(1, 60), min_size=1))
def test_chance_is_what_guessing_gives(counts: list[int]) -> None:
    """The mean over all places that a guess can come out at."""
    expected = [score(list(range(1, count + 1))) for count in counts]
    found = chance(counts)
    assert found.ac1 == pytest.approx(sum(each.ac1 for each in expected) / len(counts))
    assert found.ac3 == pytest.approx(sum(each.ac3 for each in expected) / len(counts))
    assert found.avg5 == pytest.approx(sum(each.avg5 for each in expected) / len(counts))


def test_nothing_cannot_be_scored() -> None:
    """No cases, no score."""
    with pytest.raises(ValueError, match="no cases"):
        score([])
