"""A classic histogram: counts under bounds, a sum, a count."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from exporter.metrics import Sample


class Histogram:
    """Observed seconds; bounds are inclusive, as `le` says."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self.count = 0
        """How many values were observed: another number whenever anything is another."""

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value
        self.count += 1

    def values(self) -> tuple[float, ...]:
        """Return the values of `samples`, in their order."""
        return (*accumulate(self._counts), self._sum, self.count)

    def samples(self, labels: tuple[tuple[str, str], ...] = ()) -> Iterator[Sample]:
        """Yield cumulative buckets, sum and count."""
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            le = "+Inf" if bound == float("inf") else str(float(bound))
            yield Sample(suffix="_bucket", labels=(*labels, ("le", le)), value=total)
        yield Sample(suffix="_sum", labels=labels, value=self._sum)
        yield Sample(suffix="_count", labels=labels, value=total)
