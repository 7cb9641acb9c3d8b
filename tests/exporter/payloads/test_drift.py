"""Scores and thresholds: against published tables, on noise, on rhythm, and on real shifts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from exporter.payloads.drift import (
    EFFECT_FLOOR,
    bank_bound,
    chi_square,
    level_of,
    noise_bound,
    psi,
    score,
    threshold,
    wilson_lower,
)

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4.
TABLE = [
    (1, 0.05, 3.841), (1, 0.001, 10.828), (4, 0.01, 13.277), (9, 0.1, 14.684),
    (9, 0.001, 27.877), (19, 0.01, 36.191), (50, 0.05, 67.505), (100, 0.001, 149.449),
]  # fmt: skip


@pytest.mark.parametrize(("degrees", "level", "value"), TABLE)
def test_chi_square_is_as_tabulated(degrees: int, level: float, value: float) -> None:
    """To the three digits that are printed."""
    assert chi_square(degrees, level) == pytest.approx(value, abs=0.0006)


def test_chi_square_goes_far_into_the_tail() -> None:
    """As far as a false alarm a century needs, and it falls with the level."""
    values = [chi_square(9, 10.0**-n) for n in range(1, 13)]
    assert values == sorted(values)
    assert values[5] == pytest.approx(44.81, abs=0.01)


def test_the_index_of_the_same_is_nothing() -> None:
    """And of what is shifted it is the sum that its definition gives."""
    same = np.asarray([100, 200, 300])
    assert psi(same, same * 7) == pytest.approx(0, abs=1e-4)
    now, then = np.asarray([0, 10]), np.asarray([10, 0])
    expected = 2 * (10.5 / 11 - 0.5 / 11) * math.log(10.5 / 0.5)
    assert psi(now, then) == pytest.approx(expected)


def test_the_noise_bound_holds_what_chance_does() -> None:
    """Of ten thousand windows without drift about one in a hundred is over the level of 1 %."""
    rng = np.random.default_rng(1)
    reference = rng.multinomial(10_000, [0.1] * 10)
    bound = noise_bound(500, 10_000, 10, 0.01)
    over = sum(psi(each, reference) > bound for each in rng.multinomial(500, [0.1] * 10, 10_000))
    # The reference is one draw of its own, which the bound's 1/N stands for.
    assert 20 <= over <= 300


def test_a_bank_bears_what_repeats() -> None:
    """Nights and days that differ are no drift once the bank knows both; a new shape is."""
    rng = np.random.default_rng(2)
    day, night = [0.28] * 2 + [0.055] * 8, [0.055] * 8 + [0.28] * 2
    bank = np.stack([rng.multinomial(1000, each) for each in (day, night) * 8])
    bound = bank_bound(bank)
    level = level_of(1, 50, 24)
    for shape in (day, night):
        current = rng.multinomial(1000, shape)
        assert score(current, bank) < threshold(1000, bank, level, bound)
        assert psi(current, np.sum(bank, axis=0)) > EFFECT_FLOOR
    middle = rng.multinomial(1000, [0.02] * 4 + [0.42] * 2 + [0.02] * 4)
    assert score(middle, bank) > threshold(1000, bank, level, bound)


def test_small_banks_and_small_windows_are_careful() -> None:
    """Too few windows have no scores of their own; no rows can be over no bound."""
    one = np.asarray([[5, 5]])
    assert bank_bound(np.repeat(one, 3, axis=0)) == 0
    assert threshold(0, one, 0.01, 0.0) == math.inf
    assert threshold(10**9, one * 10**9, 0.01, 0.0) == EFFECT_FLOOR
    assert threshold(10**9, one * 10**9, 0.01, 0.5) == 0.5


def test_false_alarms_are_shared() -> None:
    """Over the features and windows of a month; whatever is asked for is a level."""
    assert level_of(0.1, 50, 24) == pytest.approx(0.1 / (30 * 50 * 24))
    assert level_of(1e9, 0, 0) == 0.5
    assert level_of(0, 1, 1) > 0


def test_wilsons_interval() -> None:
    """Its lower end at z = 1.96 as in Wilson's own example, and at the ends of the scale."""
    assert wilson_lower(10, 100, 1.959964) == pytest.approx(0.05523, abs=1e-5)
    assert wilson_lower(0, 100) == 0
    assert wilson_lower(0, 0) == 0
    assert 0.9 < wilson_lower(100, 100) < 1
