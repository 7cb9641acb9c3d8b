"""A classic histogram: counts under bounds, a sum, a count, and each bucket's last exemplar."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

from exporter.metrics import Labels, Sample
from exporter.run_id import run_id


class Histogram:
    """Observed seconds; bounds are inclusive, as `le` says."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._exemplars: dict[int, tuple[float, float] | bytes] = {}
        self.count = 0

    @property
    def series(self) -> int:
        """How many there are: buckets, sum, count."""
        return len(self._counts) + 2

    def observe(self, value: float, finished_timestamp_seconds: float) -> None:
        """Count one value, of the run that finished then."""
        bucket = bisect_left(self._bounds, value)
        self._counts[bucket] += 1
        self._exemplars[bucket] = (value, finished_timestamp_seconds)
        self._sum += value
        self.count += 1

    def values(self) -> list[float]:
        """Return the values of `samples`, in their order."""
        return [*accumulate(self._counts), self._sum, self.count]

    def exemplify(self, numbers: list[bytes], first: int) -> None:
        """Add to the buckets' numbers, from `first` on, what follows them in OpenMetrics 1.0.

        That is the id of the last run in a bucket, or nothing.
        """
        for bucket, exemplar in self._exemplars.items():
            # Written here, where somebody asks for it.
            text = _exemplar(*exemplar) if isinstance(exemplar, tuple) else exemplar
            self._exemplars[bucket] = text
            numbers[first + bucket] += text

    def samples(self, labels: Labels = ()) -> Iterator[Sample]:
        """Yield cumulative buckets, sum and count."""
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            le = "+Inf" if bound == float("inf") else str(float(bound))
            yield Sample(suffix="_bucket", labels=(*labels, ("le", le)), value=total)
        yield Sample(suffix="_sum", labels=labels, value=self._sum)
        yield Sample(suffix="_count", labels=labels, value=total)


def _exemplar(value: float, at: float) -> bytes:
    named, when = _run(at)
    return named + repr(value).encode() + when


@lru_cache(maxsize=8)
def _run(at: float) -> tuple[bytes, bytes]:
    """Return what is before and after the value; a run is in several histograms."""
    return f' # {{run_id="{run_id(at)}"}} '.encode(), f" {at:.3f}".encode()
