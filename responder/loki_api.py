"""Loki's HTTP API as far as an investigation asks it: counts over time, and lines.

Wire format: https://grafana.com/docs/loki/latest/reference/loki-http-api/.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import orjson

from responder.guard import line
from responder.investigation.evidence import Floats, Status
from responder.log_lines import Entry
from responder.remote import LONGEST_PROBLEM, Answer, Remote, failed

T = TypeVar("T")

_PATH = "/loki/api/v1/query_range"


@dataclass(frozen=True, kw_only=True, slots=True)
class Buckets:
    """Spans of `seconds` each from `start` on; bucket i ends, and is known by, `ends[i]`."""

    start: float
    seconds: float
    count: int

    @property
    def ends(self) -> Floats:
        """When each ends, in seconds since the epoch."""
        return self.start + self.seconds * np.arange(1, self.count + 1, dtype=np.float64)

    @property
    def end(self) -> float:
        """When the last one ends."""
        return self.start + self.seconds * self.count


def quoted(text: str) -> str:
    """Write a text as a string of LogQL, whose escapes are Go's."""
    return orjson.dumps(text).decode()


async def counted(remote: Remote, query: str, buckets: Buckets) -> Answer:
    """Ask for a count in each bucket; the body is an array, zero where nothing was counted."""
    params = {
        "query": f"sum(count_over_time({query} [{buckets.seconds:.0f}s]))",
        "start": _nanoseconds(buckets.start + buckets.seconds),
        "end": _nanoseconds(buckets.end),
        "step": f"{buckets.seconds:.0f}s",
    }
    answer = await remote.get(_PATH, params)
    return _read(answer, "matrix", lambda result: _counts(result, buckets))


async def lines(
    remote: Remote,
    query: str,
    window: tuple[float, float],
    *,
    limit: int,
    direction: Literal["forward", "backward"],
) -> Answer:
    """Ask for lines, the earliest or the latest of a window; the body is a list of entries."""
    params = {
        "query": query,
        "start": _nanoseconds(window[0]),
        "end": _nanoseconds(window[1]),
        "limit": str(limit),
        "direction": direction,
    }
    answer = await remote.get(_PATH, params)
    return _read(answer, "streams", lambda result: list(_entries(result))[:limit])


def _nanoseconds(at: float) -> str:
    # By way of milliseconds: a float of nanoseconds is not exact.
    return f"{round(at * 1000)}000000"


def _read(answer: Answer, kind: str, part: Callable[[list[Any]], T]) -> Answer:
    if answer.status is not Status.OK:
        return answer
    try:
        data = answer.body["data"]
        if answer.body["status"] != "success" or data["resultType"] != kind:
            return failed(f"the answer is no {kind}")
        body = part(data["result"] or [])
        warnings = [str(each) for each in answer.body.get("warnings") or ()]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        return failed(f"the answer is not of the API's shape ({type(error).__name__}: {error})")
    problem = line("partial: " + "; ".join(warnings), LONGEST_PROBLEM) if warnings else ""
    return Answer(status=Status.OK, body=body, problem=problem, seconds=answer.seconds)


def _counts(result: list[Mapping[str, Any]], buckets: Buckets) -> Floats:
    counts = np.zeros(buckets.count)
    for series in result:
        for at, value in series["values"]:
            index = round((float(at) - buckets.start) / buckets.seconds) - 1
            number = float(value)
            if 0 <= index < buckets.count and math.isfinite(number):
                counts[index] += number
    return counts


def _entries(result: list[Mapping[str, Any]]) -> Iterator[Entry]:
    for stream in result:
        for value in stream["values"]:
            yield Entry(at=int(value[0]) / 1e9, text=str(value[1]))
