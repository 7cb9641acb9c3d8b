"""Where the marks of a run's two pictures go: its phases, and its chunks, on one scale of time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.history import Way

LEFT, WIDTH, RIGHT = 96.0, 520.0, 104.0
"""The names' column, the drawn one, and the one of the durations; all in the picture's units."""

ROW = 22.0
PLOT_HEIGHT = 120.0
_LEAST_SECONDS = 1e-6
_MOST_TICKS = 6
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """One phase in seconds since the exchange began; it is not `done` where the run ended in it."""

    name: str
    begin: float
    end: float
    done: bool = True

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A phase and its place."""

    span: Span
    x: float
    y: float
    width: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What is drawn of an exchange; `wait` is the longest between two chunks.

    Without chunks, or with but one, `dots` is empty and `wait` None.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, float], ...]
    dots: tuple[tuple[float, float], ...]
    chunks: int
    wait: Bar | None
    total_seconds: float

    @property
    def bars_height(self) -> float:
        """The height of the phases' rows."""
        return ROW * len(self.bars)


def picture(way: Way) -> Picture:
    """Place all marks of an exchange; a length in the picture is proportional to its seconds."""
    total = max(way.times.end, *(at for _, at in way.points), _LEAST_SECONDS)
    bars = tuple(
        Bar(span=span, x=_x(span.begin, total), y=ROW * row, width=_width(span.seconds, total))
        for row, span in enumerate(spans(way))
    )
    return Picture(
        bars=bars,
        ticks=tuple((_x(at, total), at) for at in _ticks(total)),
        dots=tuple((_x(at, total), _height(number, way.chunks)) for number, at in way.points),
        chunks=way.chunks,
        wait=_wait(way, total),
        total_seconds=total,
    )


def spans(way: Way) -> Sequence[Span]:
    """Return the phases that an exchange came to, in their order."""
    times = way.times
    found = [
        _span("resolve", times.resolve_begin, times.resolve_end, times.end),
        _span("connect", times.connect_begin, times.connect_end, times.end),
        _span("tls", times.tls_begin, times.tls_end, times.end),
        _span("request", _connected(way), times.written, times.end),
        _span("first byte", times.written, times.first_byte, times.end),
        _span("transfer", times.first_byte, times.end if way.complete else None, times.end),
    ]
    known = [span for span in found if span is not None]
    first = known[0].begin if known else 0.0
    # What went before: the hops of a redirect, or the wait for a kept connection.
    before = [Span(name="before", begin=0.0, end=first)] if first > 1e-4 else []
    return [*before, *known]


def _span(name: str, begin: float | None, end: float | None, last: float) -> Span | None:
    if begin is None:
        return None
    until = last if end is None else end
    return Span(name=name, begin=begin, end=max(begin, until), done=end is not None)


def _connected(way: Way) -> float | None:
    """Say from when the request could be written, None where that is not known."""
    times = way.times
    if times.tls_begin is not None:
        return times.tls_end
    if times.connect_begin is not None:
        return times.connect_end
    is_known = times.written is not None and not way.redirects
    return times.begin if is_known else None  # a kept connection is there from the beginning


def _wait(way: Way, total: float) -> Bar | None:
    pairs = list(zip(way.points, way.points[1:], strict=False))
    if not pairs:
        return None
    (number, begin), (_, end) = max(pairs, key=lambda pair: pair[1][1] - pair[0][1])
    span = Span(name=f"after chunk {number}", begin=begin, end=end)
    return Bar(span=span, x=_x(begin, total), y=0.0, width=_width(span.seconds, total))


def _x(at: float, total: float) -> float:
    return round(LEFT + WIDTH * at / total, 2)


def _width(seconds: float, total: float) -> float:
    return round(WIDTH * seconds / total, 2)


def _height(number: int, chunks: int) -> float:
    """Return how high a chunk stands: the first at the bottom, the last at the top."""
    return round(PLOT_HEIGHT * (1 - (number - 1) / max(chunks - 1, 1)), 2)


def _ticks(total: float) -> Iterator[float]:
    """Yield round times from 0 to the end, at most six after the first."""
    power = 10.0 ** math.floor(math.log10(total / _MOST_TICKS))
    step = next(each * power for each in _STEPS if each * power * _MOST_TICKS >= total)
    for number in range(int(total / step) + 1):
        yield step * number
