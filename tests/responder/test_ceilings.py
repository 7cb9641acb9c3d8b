"""Ceilings: which one a call does not fit under, and when days and months begin."""

from __future__ import annotations

import datetime as dt

import pytest

from responder.ceilings import Ceiling, Ceilings, ModelCeilings, Spent, reached, starts

FREE = Ceilings.none()
NOW = dt.datetime(2024, 2, 29, 23, 59, 59, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize("window", ["incident", "day", "month"])
@pytest.mark.parametrize("kind", ["tokens", "price"])
def test_each_window_has_its_ceiling_in_tokens_and_in_money(window: str, kind: str) -> None:
    """What just fits is let through, and one more of it is not; the text says which and why."""
    ceilings = FREE.model_copy(update={window: Ceiling.model_validate({kind: 100})})
    used = {(window, ""): Spent(tokens=60, price=60.0)}
    assert reached(ceilings, used, "small", Spent(tokens=40, price=40.0)) is None
    crossed = reached(ceilings, used, "small", Spent(tokens=41, price=40.01))
    assert crossed is not None
    assert (crossed.window, crossed.model) == (window, "")
    assert crossed.text.startswith("100 ")
    assert window in crossed.text
    assert crossed.text.endswith("of all models")


def test_a_ceiling_of_one_model_leaves_the_others_alone() -> None:
    """It looks at its own sums, and holds for its own calls."""
    own = ModelCeilings(day=Ceiling(tokens=10))
    ceilings = FREE.model_copy(update={"models": {"large": own}})
    used = {("day", "large"): Spent(tokens=10), ("day", ""): Spent(tokens=500)}
    crossed = reached(ceilings, used, "large", Spent(tokens=1))
    assert crossed is not None
    assert (crossed.window, crossed.model) == ("day", "large")
    assert reached(ceilings, used, "small", Spent(tokens=1)) is None


def test_days_and_months_are_those_of_utc() -> None:
    """The last second of a leap day belongs to it, and to February."""
    begun = starts(NOW)
    assert begun["day"] == dt.datetime(2024, 2, 29, tzinfo=dt.UTC).timestamp()
    assert begun["month"] == dt.datetime(2024, 2, 1, tzinfo=dt.UTC).timestamp()
    assert starts(NOW + 1)["month"] == NOW + 1


def test_unless_told_otherwise_each_window_is_limited() -> None:
    """Nobody finds an unlimited bill for not having read of ceilings."""
    assert all(ceiling.tokens for _, _, ceiling in Ceilings().each())
