"""Whether something is other than it was, judged by the pieces of two windows."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_PIECES = 4
# Scales a median absolute deviation to the standard deviation of a normal distribution.
_MAD_TO_SIGMA = 1.4826
_SIGMAS = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """What a change must be at least, as a share of what was and in the measure's own unit."""

    ratio: float
    difference: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """The medians of two windows."""

    before: float
    now: float

    @property
    def ratio(self) -> float:
        """How many times what was is what is; infinite where it was nothing."""
        return self.now / self.before if self.before > 0 else float("inf")


def rise(now: Sequence[float], before: Sequence[float], gate: Gate) -> Change | None:
    """Give the rise of the median, None where it is too small, too few or no more than noise.

    All but one of the pieces must be over all but one of those before: a strange piece on either
    side changes nothing.
    """
    if min(len(now), len(before)) < LEAST_PIECES:
        return None
    change = Change(before=statistics.median(before), now=statistics.median(now))
    spread = _MAD_TO_SIGMA * statistics.median(abs(each - change.before) for each in before)
    least = max(gate.difference, (gate.ratio - 1) * change.before, _SIGMAS * spread)
    if change.now - change.before < least:
        return None
    return change if sorted(now)[1] > sorted(before)[-2] else None


def fall(now: Sequence[float], before: Sequence[float], gate: Gate) -> Change | None:
    """Give the fall of the median; as `rise`, the other way round."""
    if min(len(now), len(before)) < LEAST_PIECES:
        return None
    change = Change(before=statistics.median(before), now=statistics.median(now))
    spread = _MAD_TO_SIGMA * statistics.median(abs(each - change.before) for each in before)
    least = max(gate.difference, (1 - 1 / gate.ratio) * change.before, _SIGMAS * spread)
    if change.before - change.now < least:
        return None
    return change if sorted(now)[-2] < sorted(before)[1] else None


def growth(now: Sequence[float], gate: Gate) -> Change | None:
    """Give how far something grew within one window: its last half against its first."""
    if len(now) < LEAST_PIECES:
        return None
    half = len(now) // 2
    first, last = now[:half], now[-half:]
    change = Change(before=statistics.median(first), now=statistics.median(last))
    if change.now - change.before < max(gate.difference, (gate.ratio - 1) * change.before):
        return None
    return change if min(last) > max(first) else None
