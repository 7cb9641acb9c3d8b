"""Reads one page of a model server's metrics; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from exporter.native.names import Metric, Names

_SAMPLE = re.compile(r"([^\s{#]+)(?:\{.*\})?\s+(\S+)(?:\s+\S+)?\s*")
_DECLARATION = re.compile(r"#\s*(?:TYPE|HELP)\s+(\S+)")
_DERIVED = re.compile(r"_(?:sum|count)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One look at the metrics, label sets added up; None for what is not there.

    `progress` is in the order of the server's row; `absent` says of each metric that the row does
    not call optional whether it is missing, and is empty where no page came.
    """

    at: float
    reachable: bool
    running: float | None = None
    waiting: float | None = None
    progress: tuple[float | None, ...] = ()
    absent: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))


def parse(text: str, names: Names, at: float) -> Reading:
    """Read a server's figures out of a text exposition; lines that are none are skipped."""
    sums = _sums(text, names)
    return Reading(
        at=at,
        reachable=True,
        running=_added(names.running, sums),
        waiting=_added(names.waiting, sums),
        progress=tuple(_value(metric, sums) for metric in names.progress),
        absent={
            metric.names[0]: _value(metric, sums) is None
            for metric in names.metrics()
            if not metric.optional
        },
    )


def _sums(text: str, names: Names) -> dict[str, float]:
    """Add up the samples of each wanted name; a family declared without samples counts zero."""
    wanted = frozenset(name for metric in names.metrics() for name in metric.names)
    derived = {_DERIVED.sub("", name): name for name in wanted if _DERIVED.search(name)}
    beginnings = tuple(wanted)
    sums: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            for name in _declared(line):
                if derived.get(name, name) in wanted:
                    sums.setdefault(derived.get(name, name), 0.0)
        elif line.startswith(beginnings):
            for name, value in _sampled(line):
                if name in wanted:
                    sums[name] = sums.get(name, 0.0) + value
    return sums


def _declared(line: str) -> Iterator[str]:
    match = _DECLARATION.match(line)
    if match is not None:
        yield match[1].removesuffix("_total")


def _sampled(line: str) -> Iterator[tuple[str, float]]:
    match = _SAMPLE.fullmatch(line)
    try:
        value = float(match[2]) if match else math.nan
    except ValueError:
        return
    if match and math.isfinite(value):
        yield match[1].removesuffix("_total"), value


def _value(metric: Metric, sums: Mapping[str, float]) -> float | None:
    """Return the metric under the first of its names that is there."""
    return next((sums[name] for name in metric.names if name in sums), None)


def _added(metrics: Iterable[Metric], sums: Mapping[str, float]) -> float | None:
    there = [value for metric in metrics if (value := _value(metric, sums)) is not None]
    return sum(there) if there else None
