"""How often the true cause is among the first k, and what guessing alone would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST = 5
NOT_NAMED = 10**9


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Over some cases: AC@1, AC@3, and Avg@5, the mean of AC@1 to AC@5; each in [0, 1]."""

    ac1: float
    ac3: float
    avg5: float


def place(scores: Mapping[str, float], truth: str) -> int:
    """Give the rank of the true one from 1, behind all that score as high: no luck in ties."""
    if truth not in scores:
        return NOT_NAMED
    return sum(1 for each in scores.values() if each >= scores[truth])


def place_in(order: Sequence[str], truth: str) -> int:
    """Give the rank of the true one in an order without scores."""
    return order.index(truth) + 1 if truth in order else NOT_NAMED


def score(places: Sequence[int]) -> Score:
    """Give the scores of ranks; raises ValueError without any."""
    return _score([[float(each <= k) for k in range(1, MOST + 1)] for each in places])


def chance(counts: Sequence[int]) -> Score:
    """Give the expected scores of guesses among so many components."""
    return _score([[min(k / max(n, 1), 1.0) for k in range(1, MOST + 1)] for n in counts])


def _score(hits: Sequence[Sequence[float]]) -> Score:
    if not hits:
        raise ValueError("no cases: there is nothing to score")
    at = [sum(each[k] for each in hits) / len(hits) for k in range(MOST)]
    return Score(ac1=at[0], ac3=at[2], avg5=sum(at) / MOST)
