"""A target's last runs as its page shows them; failures are kept longer than successes.

There are thousands of targets: a run is kept in a few hundred bytes, its figures packed as single
precision (microseconds after ten seconds), and is unpacked when somebody looks.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from operator import attrgetter
from struct import Struct
from typing import Any, NamedTuple

from exporter.run_id import run_id
from exporter.target import CheckResult, Exchange, Outcome, Reason, State, Times

KEPT_FAILURES = 10
KEPT_SUCCESSES = 3
MOST_POINTS = 200
"""So many chunks of an exchange are kept with their times."""

_SUCCESS_CHARACTERS = 200
_MOST_CHECKS = 20
_MOST_EARLIER = 5
_TIMES = tuple(name for name in Times.__dataclass_fields__ if name != "begin")
_FIGURES = {
    "duration": "duration_seconds",
    "first token": "first_token_seconds",
    "first answer": "first_answer_seconds",
    "per output token": "time_per_output_token_seconds",
    "longest wait between tokens": "chunk_gap_max_seconds",
}
_times_of = attrgetter(*_TIMES)
_figures_of = attrgetter(*_FIGURES.values())
_PACKING = Struct(f"{len(_FIGURES) + len(_TIMES)}f")
_NONE = nan
_NO_TIMES = (_NONE,) * len(_TIMES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How an exchange went, as far as it is kept; all times are seconds since it began.

    `points` are the chunks that are kept, each with its number from 1 and its time; `chunks` says
    how many there were, `earlier` how long each exchange before this one took in the same run.
    """

    times: Times
    points: tuple[tuple[int, float], ...] = ()
    chunks: int = 0
    address: str = ""
    http_version: str = ""
    tls_version: str = ""
    complete: bool = False
    reused: bool = False
    redirects: int = 0
    merged_reads: int = 0
    clock_stepped: bool = False
    earlier: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PastRun:
    """One run as it is shown; `way` is None where no exchange was made."""

    finished_timestamp_seconds: float
    canary: str
    state: State
    why: str
    reason: Reason | None
    detail: str
    status_code: int | None
    seconds: Mapping[str, float]
    prompt_tokens: int | None
    output_tokens: int | None
    checks: tuple[CheckResult, ...]
    excerpt: str
    way: Way | None

    @property
    def run_id(self) -> str:
        """What the exemplars call it."""
        return run_id(self.finished_timestamp_seconds)

    @property
    def success(self) -> bool:
        """Whether the answer was right."""
        return self.reason is None

    @property
    def phases(self) -> Mapping[str, float]:
        """Seconds of each finished phase."""
        return {} if self.way is None else self.way.times.phases()


class _Kept(NamedTuple):
    """A run in the form in which it is kept: packed numbers, and texts that runs mostly share.

    `figures` holds those of _FIGURES and then those of _TIMES, `numbers` and `at` the chunks left.
    """

    finished_timestamp_seconds: float
    canary: str
    state: State
    why: str
    reason: Reason | None
    detail: str
    status_code: int | None
    prompt_tokens: int | None
    output_tokens: int | None
    checks: tuple[CheckResult, ...]
    excerpt: str
    figures: bytes
    exchanged: bool = False
    numbers: bytes = b""
    at: bytes = b""
    chunks: int = 0
    address: str = ""
    http_version: str = ""
    tls_version: str = ""
    complete: bool = False
    reused: bool = False
    redirects: int = 0
    merged_reads: int = 0
    clock_stepped: bool = False
    earlier: tuple[float, ...] = ()


class History:
    """The last runs, newest first: three that succeeded, and ten that failed, however long ago."""

    __slots__ = ("_failures", "_successes")

    def __init__(self) -> None:
        # Tuples, since a deque takes 760 bytes before it holds anything.
        self._failures: tuple[_Kept, ...] = ()
        self._successes: tuple[_Kept, ...] = ()

    def keep(self, outcome: Outcome, exchange: Exchange | None) -> None:
        """Keep a run in place of the oldest of its sort."""
        kept = _kept(outcome, exchange)
        if outcome.reason is None:
            self._successes = (kept, *self._successes[: KEPT_SUCCESSES - 1])
        else:
            self._failures = (kept, *self._failures[: KEPT_FAILURES - 1])

    def failures(self, most: int = KEPT_FAILURES) -> Sequence[PastRun]:
        """Return the last failures."""
        return [_told(each) for each in self._failures[:most]]

    def runs(self) -> Sequence[PastRun]:
        """Return all that is kept."""
        found = [_told(each) for each in (*self._successes, *self._failures)]
        return sorted(found, key=lambda run: run.finished_timestamp_seconds, reverse=True)


def _kept(outcome: Outcome, exchange: Exchange | None) -> _Kept:
    seen, text = outcome.observation, outcome.excerpt
    figures = [_NONE if value is None else value for value in _figures_of(seen)]
    of_run = (
        outcome.finished_timestamp_seconds,
        outcome.canary,
        outcome.state,
        outcome.why,
        outcome.reason,
        outcome.detail,
        seen.status_code,
        seen.prompt_tokens,
        seen.output_tokens,
        outcome.checks[:_MOST_CHECKS],
        text[:_SUCCESS_CHARACTERS] if outcome.reason is None else text,
    )
    if exchange is None:
        return _Kept(*of_run, _PACKING.pack(*figures, *_NO_TIMES))
    begin = exchange.times.begin
    times = [_NONE if value is None else value - begin for value in _times_of(exchange.times)]
    return _Kept(*of_run, _PACKING.pack(*figures, *times), True, *_way_kept(exchange, begin))


def _way_kept(exchange: Exchange, begin: float) -> tuple[Any, ...]:
    numbers, at = b"", b""
    if len(exchange.chunks) > 1:  # one alone has no wait that could be shown
        numbers, at = _points([chunk.at - begin for chunk in exchange.chunks])
    earlier = exchange.earlier[:_MOST_EARLIER]
    return (
        numbers,
        at,
        len(exchange.chunks),
        exchange.peer.address,
        exchange.http_version,
        exchange.peer.tls_version,
        exchange.complete,
        exchange.reused,
        exchange.redirects,
        exchange.merged_reads,
        exchange.clock_stepped,
        tuple([each.times.end - each.times.begin for each in earlier]) if earlier else (),
    )


def _points(at: list[float]) -> tuple[bytes, bytes]:
    """Pack the chunks' times, and their numbers where some are left out.

    Of many, none beside the longest wait is left out.
    """
    if len(at) <= MOST_POINTS:
        return b"", array("f", at).tobytes()
    last = len(at) - 1
    longest = max(range(last), key=lambda index: at[index + 1] - at[index])
    evenly = {last * step // (MOST_POINTS - 3) for step in range(MOST_POINTS - 2)}
    left = sorted(evenly | {longest, longest + 1})
    numbers = array("l", [index + 1 for index in left])
    return numbers.tobytes(), array("f", [at[index] for index in left]).tobytes()


def _told(kept: _Kept) -> PastRun:
    figures = _PACKING.unpack(kept.figures)
    named = zip(_FIGURES, figures, strict=False)
    return PastRun(
        finished_timestamp_seconds=kept.finished_timestamp_seconds,
        canary=kept.canary,
        state=kept.state,
        why=kept.why,
        reason=kept.reason,
        detail=kept.detail,
        status_code=kept.status_code,
        seconds={name: value for name, value in named if not isnan(value)},
        prompt_tokens=kept.prompt_tokens,
        output_tokens=kept.output_tokens,
        checks=kept.checks,
        excerpt=kept.excerpt,
        way=_way(kept, figures[len(_FIGURES) :]) if kept.exchanged else None,
    )


def _way(kept: _Kept, since: Sequence[float]) -> Way:
    times = {n: max(0.0, at) for n, at in zip(_TIMES, since, strict=True) if not isnan(at)}
    at = array("f", kept.at)
    numbers = array("l", kept.numbers) or range(1, len(at) + 1)
    return Way(
        times=Times(begin=0.0, end=times.pop("end"), **times),
        points=tuple([(number, max(0.0, each)) for number, each in zip(numbers, at, strict=True)]),
        chunks=kept.chunks,
        address=kept.address,
        http_version=kept.http_version,
        tls_version=kept.tls_version,
        complete=kept.complete,
        reused=kept.reused,
        redirects=kept.redirects,
        merged_reads=kept.merged_reads,
        clock_stepped=kept.clock_stepped,
        earlier=kept.earlier,
    )
