"""Counts what a model is fed and tells, window by window, how far it is from its reference."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.payloads.counters import Counter, Tally, counter_of, empty
from exporter.payloads.drift import level_of
from exporter.payloads.judging import Judged, judged, measure_of
from exporter.payloads.piece import Answered, Columns, Malformed, Piece, Rows, Unanswered
from exporter.payloads.reference import Reference

WINDOWS: Mapping[str, float] = {"15m": 900.0, "1h": 3600.0, "24h": 86400.0}
DAY_SECONDS = 86400.0
MOST_UNKNOWN = 1000
"""Names of features that the reference lacks, beyond which new ones are only counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A measure of a feature in the last whole window; `in_a_row` is for how many it is over."""

    feature: str
    window: str
    judged: Judged
    in_a_row: int


@dataclass(kw_only=True, slots=True)
class _Window:
    """One tumbling window: what is counted in it until it ends, and what the last one said."""

    name: str
    seconds: float
    began_at: float
    tallies: dict[str, Tally]
    readings: dict[tuple[str, str], Reading] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Totals:
    """What came since the start: rows, malformed events by rule, requests without an answer."""

    rows: int = 0
    unanswered: int = 0
    answered: int = 0
    answer_seconds: float = 0.0
    invalid: Counts[str] = field(default_factory=Counts)
    unknown: set[str] = field(default_factory=set)
    unknown_values: int = 0
    last_at: float | None = None


class StreamMonitor:
    """Counts one stream; `false_alarms_a_month` is what its user bears, over all its features."""

    def __init__(
        self,
        reference: Reference | None,
        *,
        clock: Callable[[], float],
        false_alarms_a_month: float = 1.0,
        windows: Mapping[str, float] = WINDOWS,
    ) -> None:
        """Begin to count; without a reference rows are counted and nothing is judged."""
        self._reference = reference
        self._clock = clock
        features = reference.features if reference else ()
        self._counters: dict[str, Counter] = {each.name: counter_of(each) for each in features}
        now = clock()
        self._windows = [self._window(name, seconds, now) for name, seconds in windows.items()]
        looks = sum(DAY_SECONDS / seconds for seconds in windows.values())
        level = level_of(false_alarms_a_month, len(features), looks)
        self._measures = {
            each.name: measure_of(each, reference.rows if reference else 0, level)
            for each in features
        }
        self.totals = Totals()

    def _window(self, name: str, seconds: float, now: float) -> _Window:
        began_at = now - now % seconds
        return _Window(name=name, seconds=seconds, began_at=began_at, tallies=self._nothing())

    def _nothing(self) -> dict[str, Tally]:
        return {name: empty(each.reference) for name, each in self._counters.items()}

    def count(self, pieces: Sequence[Piece]) -> None:
        """Count some pieces; what is late is counted in the window that is open."""
        self._turn()
        rows: list[Mapping[str, Any]] = []
        for piece in pieces:
            match piece:
                case Rows():
                    rows += piece.rows
                case Columns():
                    self._columns(piece)
                case Answered():
                    self.totals.answered += 1
                    self.totals.answer_seconds += piece.seconds
                case Unanswered():
                    self.totals.unanswered += piece.requests
                case Malformed():
                    self.totals.invalid[piece.rule] += 1
            self.totals.last_at = max(piece.at, self.totals.last_at or piece.at)
        if rows:
            self._rows(rows)

    def _rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.totals.rows += len(rows)
        for name, counter in self._counters.items():
            self._add(name, counter.count([row.get(name) for row in rows]))
        if self._reference is not None:
            self._strangers(name for row in rows for name in row if name not in self._counters)

    def _columns(self, piece: Columns) -> None:
        self.totals.rows += piece.size
        for name, counter in self._counters.items():
            column = piece.columns.get(name)
            self._add(name, counter.count(_plain(column, piece.size)))
        if self._reference is not None:
            self._strangers(name for name in piece.columns if name not in self._counters)

    def _strangers(self, names: Iterable[str]) -> None:
        """Note features that the reference lacks; of too many only how often one came."""
        for name in names:
            self.totals.unknown_values += 1
            if len(self.totals.unknown) < MOST_UNKNOWN:
                self.totals.unknown.add(name[:200])

    def _add(self, name: str, tally: Tally) -> None:
        for window in self._windows:
            window.tallies[name].add(tally)

    def _turn(self) -> None:
        """Close the windows whose time is over; what is too little to judge stays for the next."""
        now = self._clock()
        for window in self._windows:
            if now < window.began_at + window.seconds:
                continue
            self._close(window)
            window.began_at = now - now % window.seconds

    def _close(self, window: _Window) -> None:
        for name, tally in window.tallies.items():
            found = list(judged(self._measures[name], tally))
            if not found and tally.rows:
                continue  # too few rows to say anything: the next window adds to them
            for each in found:
                before = window.readings.get((name, each.measure))
                in_a_row = (before.in_a_row if before else 0) + 1 if each.is_over else 0
                window.readings[name, each.measure] = Reading(
                    feature=name, window=window.name, judged=each, in_a_row=in_a_row
                )
            if not tally.rows:
                window.readings = {k: v for k, v in window.readings.items() if k[0] != name}
            window.tallies[name] = empty(self._counters[name].reference)

    def readings(self) -> tuple[Reading, ...]:
        """Give what the last whole window of each kind said."""
        self._turn()
        return tuple(each for window in self._windows for each in window.readings.values())


def _plain(column: npt.NDArray[Any] | Sequence[Any] | None, size: int) -> Sequence[Any]:
    """Give a column as Python's own values, none where there is no such column."""
    if column is None:
        return [None] * size
    return column.tolist() if isinstance(column, np.ndarray) else column
