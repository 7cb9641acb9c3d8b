"""Scores of how far a window is from its reference, and the thresholds that noise stays under.

The population stability index over fixed bins, half a count added to each bin of both sides so that
an empty one costs little. Without drift it is (1/n + 1/N) times chi-square with B - 1 degrees of
freedom (Yurdakul and Naranjo, Journal of Risk Model Validation 14, 2020). What repeats by day and
week is no drift: the score is the least over a bank of reference windows, and what the bank's own
windows score against one another is borne.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Bank = npt.NDArray[np.int64]
"""A window a row, a bin a column."""

SMOOTHING = 0.5
EFFECT_FLOOR = 0.1
"""Below it a shift is of no practical size, however sure."""
BANK_DEVIATIONS = 3.0
LEAST_BANK = 4
WILSON_Z = 3.29
"""One in two thousand, one-sided."""
DAYS_A_MONTH = 30.0


def psi(current: Counts, reference: Counts) -> float:
    """Give the population stability index of two histograms over the same bins."""
    return float(_indices(current, reference[np.newaxis])[0])


def score(current: Counts, bank: Bank) -> float:
    """Give the least index over the bank: the nearest window of the reference."""
    return float(_indices(current, bank).min())


def _indices(current: Counts, bank: Bank) -> npt.NDArray[np.float64]:
    """Give the index of a histogram against each window of a bank."""
    bins = len(current)
    now = (current + SMOOTHING) / (current.sum() + SMOOTHING * bins)
    then = (bank + SMOOTHING) / (bank.sum(axis=1, keepdims=True) + SMOOTHING * bins)
    found: npt.NDArray[np.float64] = np.sum((now - then) * np.log(now / then), axis=1)
    return found


def threshold(current: int, bank: Bank, level: float, bound: float) -> float:
    """Give what a score must be over, for *current* rows and a false alarm in 1/*level* looks.

    *bound* is that of the bank itself, which is worked out once.
    """
    noise = noise_bound(current, int(bank.sum(axis=1).mean()), bank.shape[1], level)
    return max(EFFECT_FLOOR, noise, bound)


def noise_bound(current: int, reference: int, bins: int, level: float) -> float:
    """Give what chance alone crosses once in 1/*level* looks."""
    if current <= 0 or reference <= 0 or bins < 2:
        return math.inf
    return (1 / current + 1 / reference) * chi_square(bins - 1, level)


def bank_bound(bank: Bank) -> float:
    """Give the mean and three deviations of the windows' own scores, each against the others.

    A window's neighbours are left out, since what is near in time is alike. 0 for fewer than four.
    """
    if len(bank) < LEAST_BANK:
        return 0.0
    places = np.arange(len(bank))
    found = [score(each, bank[abs(places - place) > 1]) for place, each in enumerate(bank)]
    return float(np.mean(found) + BANK_DEVIATIONS * np.std(found))


def level_of(false_alarms_a_month: float, features: int, windows_a_day: float) -> float:
    """Share the false alarms that are borne in a month over all looks of all features."""
    looks = DAYS_A_MONTH * max(1, features) * max(1.0, windows_a_day)
    return min(0.5, max(1e-12, false_alarms_a_month / looks))


def wilson_lower(hits: int, trials: int, z: float = WILSON_Z) -> float:
    """Give the lower end of Wilson's interval for a ratio (Wilson, 1927); 0 for no trials."""
    if trials <= 0:
        return 0.0
    ratio, square = hits / trials, z * z
    middle = ratio + square / (2 * trials)
    width = z * math.sqrt(ratio * (1 - ratio) / trials + square / (4 * trials * trials))
    return max(0.0, (middle - width) / (1 + square / trials))


@functools.lru_cache(maxsize=1024)
def chi_square(degrees: int, level: float) -> float:
    """Give the value that chi-square with so many degrees of freedom is above with *level*."""
    low, high = 0.0, 10.0 * degrees + 200.0
    for _ in range(200):
        middle = (low + high) / 2
        if _upper(degrees / 2, middle / 2) > level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _upper(a: float, x: float) -> float:
    """Give the regularised upper incomplete gamma function (DLMF 8.11.4 and 8.9.2)."""
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    return 1.0 - scale * _series(a, x) if x < a + 1 else scale * _fraction(a, x)


def _series(a: float, x: float) -> float:
    term = total = 1.0 / a
    for n in range(1, 2000):
        term *= x / (a + n)
        total += term
        if term < total * 1e-16:
            break
    return total


def _fraction(a: float, x: float) -> float:
    """Give the continued fraction by Lentz's method."""
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    value = d
    for n in range(1, 2000):
        term = -n * (n - a)
        b += 2
        d = 1 / (term * d + b or tiny)
        c = b + term / c or tiny
        change = c * d
        value *= change
        if abs(change - 1) < 1e-15:
            break
    return value
