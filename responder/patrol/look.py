"""The contract of a look, and the registry; one file each in looks/."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from responder.guard import clean_labels, line
from responder.investigation.evidence import Status
from responder.patrol.change import LEAST_PIECES
from responder.patrol.concern import Concern
from responder.prometheus_api import Api
from responder.remote import Answer
from responder.series import Grid

MOST_SERIES = 5_000
LONGEST_REMARK = 200
WINDOWS_BACK = 6
"""How many windows back what was there lately lies."""
MOMENTS = 6
"""Into how many pieces the window is cut: one strange piece is no finding."""


class UnseenError(Exception):
    """Nobody gave an answer that can be used; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One series: its labels, and its values in order of time without those that are no number."""

    labels: Mapping[str, str]
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What a look stands on: the Prometheis, the time, and the windows; all times in seconds.

    A look leaves behind what it has measured now, by query, and `remarks` on what it could see in
    part only.
    """

    apis: Sequence[Api]
    now: float
    window_seconds: float
    compare_with_seconds: Sequence[float]
    measured: dict[str, list[Mapping[str, str]]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def piece_seconds(self) -> float:
        """How long a piece of the window is."""
        return self.window_seconds / MOMENTS

    async def instant(self, query: str) -> Sequence[Series]:
        """Give the samples of now; raises UnseenError when nobody answers."""
        read = self._merged([await api.instant(query, self.now) for api in self.apis])
        self.measured[query] = [each.labels for each in read if each.values]
        return read

    async def pieces(self, query: str, back_seconds: float = 0.0) -> Sequence[Series]:
        """Give a value at the end of each piece of the window, now or so long ago.

        Raises UnseenError when nobody answers.
        """
        end = self.now - back_seconds
        start = end - self.window_seconds + self.piece_seconds
        grid = Grid(start=start, end=end, step=self.piece_seconds)
        read = self._merged([await api.range(query, grid) for api in self.apis])
        if not back_seconds:
            self.measured[query] = [
                each.labels for each in read if len(each.values) >= LEAST_PIECES
            ]
        return read

    def remark(self, text: str) -> None:
        """Say once what could be seen in part only."""
        if text not in self.remarks:
            self.remarks.append(text)

    def _merged(self, answers: Sequence[Answer]) -> Sequence[Series]:
        """Give what any says, the same series once; raises UnseenError when all failed."""
        good = [answer for answer in answers if answer.status is Status.OK]
        if not good:
            raise UnseenError("; ".join(answer.problem for answer in answers) or "no Prometheus")
        for problem in (answer.problem for answer in answers if answer.problem):
            self.remark(line(problem, LONGEST_REMARK))
        found: dict[tuple[tuple[str, str], ...], Series] = {}
        for answer in good:
            if len(answer.body) > MOST_SERIES:
                self.remark(f"only {MOST_SERIES} of {len(answer.body)} series were looked at")
            for sample in answer.body[:MOST_SERIES]:
                labels = clean_labels(sample["metric"])
                found.setdefault(
                    tuple(sorted(labels.items())), Series(labels=labels, values=_values(sample))
                )
        return [found[key] for key in sorted(found)]


class Look(Protocol):
    """One kind of thing to look for; judges what it read, and keeps nothing between rounds."""

    async def __call__(self, ground: Ground, /) -> Sequence[Concern]:
        """Give what is to be said; raises UnseenError when it could not be seen."""
        ...


looks: dict[str, Look] = {}


def look(name: str) -> Callable[[Look], Look]:
    """Enter the decorated look under its name; ValueError when that is taken."""

    def enter(one: Look) -> Look:
        if looks.setdefault(name, one) is not one:
            raise ValueError(f"look {name!r}: already there; choose another name")
        return one

    return enter


def _values(sample: Mapping[str, Any]) -> tuple[float, ...]:
    points = sample.get("values") or [sample.get("value")]
    read = []
    for point in points if isinstance(points, list) else ():
        try:
            value = float(point[1])
        except (TypeError, ValueError, LookupError):
            continue
        if math.isfinite(value):
            read.append(value)
    return tuple(read)
