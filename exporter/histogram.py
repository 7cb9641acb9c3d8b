"""A classic histogram: counts under bounds, a sum, a count, and each bucket's last exemplar."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from exporter.metrics import Sample
from exporter.run_id import run_id


class Histogram:
    """Observed seconds; bounds are inclusive, as `le` says."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._exemplars: dict[int, tuple[float, float]] = {}
        self.count = 0
        """How many values were observed: another number whenever anything is another."""

    def observe(self, value: float, finished_timestamp_seconds: float) -> None:
        """Count one value, of the run that finished then."""
        bucket = bisect_left(self._bounds, value)
        self._counts[bucket] += 1
        self._exemplars[bucket] = (value, finished_timestamp_seconds)
        self._sum += value
        self.count += 1

    def values(self) -> tuple[float, ...]:
        """Return the values of `samples`, in their order."""
        return (*accumulate(self._counts), self._sum, self.count)

    def exemplars(self) -> Iterator[str]:
        """Yield what follows each of the values in OpenMetrics 1.0: a run's id, or nothing."""
        for bucket in range(len(self._counts)):
            value, at = self._exemplars.get(bucket, (0.0, 0.0))
            yield f' # {{run_id="{run_id(at)}"}} {value!r} {at:.3f}' if at else ""
        yield from ("", "")

    def samples(self, labels: tuple[tuple[str, str], ...] = ()) -> Iterator[Sample]:
        """Yield cumulative buckets, sum and count."""
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            le = "+Inf" if bound == float("inf") else str(float(bound))
            yield Sample(suffix="_bucket", labels=(*labels, ("le", le)), value=total)
        yield Sample(suffix="_sum", labels=labels, value=self._sum)
        yield Sample(suffix="_count", labels=labels, value=total)
