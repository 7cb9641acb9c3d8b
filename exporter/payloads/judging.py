"""What the counts of a window say of one feature: scores and ratios, each beside its threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from exporter.payloads.counters import Tally
from exporter.payloads.drift import Bank, bank_bound, score, threshold, wilson_lower
from exporter.payloads.reference import CategoricalReference, FeatureReference, NumericReference

LEAST_ROWS = 200
LEAST_DRIFT_ROWS = 400
LEAST_GONE_ROWS = 20
"""So few rows tell that a required column is gone."""
MISSING_DELTA = 0.01
MISSING_SHARE = 0.5
UNSEEN_DELTA = 0.005
RANGE_DELTA = 0.005


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One measure of a feature: its value, what it must be over, and whether it surely is."""

    measure: str
    value: float
    threshold: float
    is_over: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """What a feature is judged by: its reference, and what is worked out of it once."""

    reference: FeatureReference
    rows: int
    level: float
    bank: Bank
    bound: float


def measure_of(reference: FeatureReference, rows: int, level: float) -> Measure:
    """Work out what a feature is judged by; *rows* are those of the whole reference."""
    windows = np.asarray(reference.windows, dtype=np.int64).reshape(-1, reference.bins)
    bank = windows[windows.sum(axis=1) > 0]
    return Measure(reference=reference, rows=rows, level=level, bank=bank, bound=bank_bound(bank))


def judged(measure: Measure, tally: Tally) -> Iterator[Judged]:
    """Judge a feature by what was counted of it; what there are too few rows for is left out."""
    reference = measure.reference
    if tally.rows >= LEAST_ROWS or _is_gone(reference, tally):
        allowed = reference.missing_ratio + max(
            MISSING_DELTA, MISSING_SHARE * reference.missing_ratio
        )
        yield _ratio("missing", tally.missing, tally.rows, allowed)
    if tally.rows >= LEAST_ROWS:
        yield _ratio("invalid", tally.invalid, tally.rows, 0.001)
    if tally.known >= LEAST_ROWS:
        yield from _values(reference, tally, measure.rows)
    counted = int(tally.bins.sum())
    if tally.known >= LEAST_DRIFT_ROWS and counted and len(measure.bank):
        found = score(tally.bins, measure.bank)
        bound = threshold(counted, measure.bank, measure.level, measure.bound)
        yield Judged(measure="drift", value=found, threshold=bound, is_over=found > bound)


def _values(reference: FeatureReference, tally: Tally, rows: int) -> Iterator[Judged]:
    if isinstance(reference, NumericReference):
        allowed = 2 / (rows + 1) + RANGE_DELTA
        yield _ratio("out_of_range", tally.out_of_range, tally.known, allowed)
    if isinstance(reference, CategoricalReference):
        # Good and Turing: what was seen once foretells what was not seen yet (Good, 1953).
        allowed = reference.singletons_ratio + UNSEEN_DELTA
        yield _ratio("unseen", tally.unseen, tally.known, allowed)
    is_stuck = not tally.varies and not reference.is_constant
    yield Judged(measure="stuck", value=float(is_stuck), threshold=0.0, is_over=is_stuck)


def _is_gone(reference: FeatureReference, tally: Tally) -> bool:
    is_required = reference.missing_ratio == 0
    return is_required and tally.rows >= LEAST_GONE_ROWS and tally.missing == tally.rows


def _ratio(measure: str, hits: int, trials: int, allowed: float) -> Judged:
    is_over = wilson_lower(hits, trials) > allowed
    value = hits / trials if trials else math.nan
    return Judged(measure=measure, value=value, threshold=allowed, is_over=is_over)
