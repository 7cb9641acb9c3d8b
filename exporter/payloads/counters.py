"""Counts of one feature in bins that its reference fixes: small, exact, and to be added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.payloads.drift import Counts
from exporter.payloads.reference import (
    CategoricalReference,
    FeatureReference,
    NumericReference,
    as_category,
    is_missing,
    is_number,
    numeric_counts,
)


@dataclass(kw_only=True, slots=True)
class Tally:
    """What was counted of one feature: rows in all, and of these what was missing or wrong.

    `bins` are those of the reference; what is invalid, or was never seen, is in none of them.
    `first` is the first value and `varies` whether there was another.
    """

    bins: Counts
    rows: int = 0
    missing: int = 0
    invalid: int = 0
    out_of_range: int = 0
    unseen: int = 0
    first: Any = None
    varies: bool = False

    @property
    def known(self) -> int:
        """How many rows had a value of the right type."""
        return self.rows - self.missing - self.invalid

    def add(self, other: Tally) -> None:
        """Add what was counted elsewhere: in another minute, or by another replica."""
        self.bins = self.bins + other.bins
        self.rows += other.rows
        self.missing += other.missing
        self.invalid += other.invalid
        self.out_of_range += other.out_of_range
        self.unseen += other.unseen
        self._notice(other.first, varies=other.varies)

    def _notice(self, first: Any, *, varies: bool) -> None:
        if self.first is None:
            self.first = first
        self.varies = self.varies or varies or (first is not None and first != self.first)


def empty(reference: FeatureReference) -> Tally:
    """Give a tally of nothing."""
    return Tally(bins=np.zeros(reference.bins, dtype=np.int64))


@dataclass(frozen=True, kw_only=True, slots=True)
class Counter:
    """Counts the values of one feature; categories are looked up in a table made once."""

    reference: FeatureReference
    places: dict[str, int] = field(default_factory=dict)

    def count(self, values: Sequence[Any]) -> Tally:
        """Count a column, None for what is missing."""
        if isinstance(self.reference, NumericReference):
            return _numbers(self.reference, values)
        return _words(self.reference, self.places, values)


def counter_of(reference: FeatureReference) -> Counter:
    """Make the counter of a feature."""
    places: dict[str, int] = {}
    if isinstance(reference, CategoricalReference):
        other = len(reference.categories)
        places = dict.fromkeys(reference.others, other)
        places |= {word: place for place, word in enumerate(reference.categories)}
    return Counter(reference=reference, places=places)


def _numbers(reference: NumericReference, values: Sequence[Any]) -> Tally:
    found, missing, invalid = _floats(values)
    tally = Tally(bins=numeric_counts(reference.edges, found), rows=len(values))
    tally.missing, tally.invalid = missing, invalid
    tally.out_of_range = int(((found < reference.low) | (found > reference.high)).sum())
    if len(found):
        tally.first = float(found[0])
        tally.varies = bool((found != found[0]).any())
    return tally


def _floats(values: Sequence[Any]) -> tuple[npt.NDArray[np.float64], int, int]:
    """Give the finite numbers of a column, how many are missing, and how many are no numbers."""
    try:
        plain = np.asarray(values)
    except (ValueError, OverflowError):  # of several shapes, or too large
        plain = np.empty(0, dtype=object)
    if plain.dtype.kind in "iuf" and plain.ndim == 1 and len(plain) == len(values):
        whole = plain.astype(np.float64)
        if np.isfinite(whole).all():
            return whole, 0, 0
    missing = sum(is_missing(each) for each in values)
    numbers = [float(each) for each in values if is_number(each)]
    return np.asarray(numbers, dtype=np.float64), missing, len(values) - missing - len(numbers)


def _words(reference: CategoricalReference, places: dict[str, int], values: Sequence[Any]) -> Tally:
    tally = Tally(bins=np.zeros(reference.bins, dtype=np.int64), rows=len(values))
    for each in values:
        if is_missing(each):
            tally.missing += 1
            continue
        if isinstance(each, list | dict):
            tally.invalid += 1
            continue
        word = as_category(each)
        place = places.get(word)
        if place is None:
            tally.unseen += 1
        else:
            tally.bins[place] += 1
        if tally.first is None:
            tally.first = word
        elif word != tally.first:
            tally.varies = True
    return tally
