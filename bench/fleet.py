"""`fleet`: ten thousand targets every five seconds, beside limits of its own.

The exporter's fleet, from a configuration in a file, has core 0; what is probed has core 1, each
target at an address of its own. Judged are new connections, the default; kept ones, and a fleet
whose metrics are rendered every fifteen seconds, stand beside them.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.figure import Figure, Measured
from bench.probe_cpu import child, line
from lab.soak.plan import address_of, name_of
from lab.stack.ports import free_addresses

_TARGETS = 10_000
_INTERVAL_SECONDS = 5.0
_SECONDS = 15.0
_ROUNDS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a fleet took: processors, memory, how late its runs began, and how many went wrong."""

    cores: float
    rss_mebibytes: float
    lag_seconds: float
    runs_per_second: float
    wrong: int

    def beside(self, limit: Cost) -> float:
        """Give the worst of its figures beside its limit, infinite when runs went wrong."""
        return max(
            self.cores / limit.cores,
            self.rss_mebibytes / limit.rss_mebibytes,
            self.lag_seconds / limit.lag_seconds,
            0.0 if self.wrong <= limit.wrong else float("inf"),
        )

    def __str__(self) -> str:
        """Give one line."""
        return (
            f"{self.cores:5.2f} core, {self.rss_mebibytes:4.0f} MiB, start lag p99"
            f" {self.lag_seconds * 1e3:6.2f} ms, {self.runs_per_second:5.0f} runs a second,"
            f" {self.wrong} wrong or left out"
        )


LIMIT = Cost(cores=0.4, rss_mebibytes=90.0, lag_seconds=0.002, runs_per_second=0.0, wrong=0)


def median(costs: Sequence[Cost]) -> Cost:
    """Give the median of each figure; what went wrong is added up."""
    return Cost(
        cores=statistics.median(each.cores for each in costs),
        rss_mebibytes=statistics.median(each.rss_mebibytes for each in costs),
        lag_seconds=statistics.median(each.lag_seconds for each in costs),
        runs_per_second=statistics.median(each.runs_per_second for each in costs),
        wrong=sum(each.wrong for each in costs),
    )


def configuration(port: int, *, keep: bool) -> bytes:
    """Give the exporter's configuration; JSON is YAML."""
    targets = [
        {
            "name": name_of(number),
            "kind": "http",
            "url": f"http://{address_of(number)}:{port}/{number}/page",
            "keep": keep,
        }
        for number in range(_TARGETS)
    ]
    times = {"interval": f"{_INTERVAL_SECONDS:g}s", "timeout": "4s"}
    return json.dumps({"defaults": times, "targets": targets}, indent=1).encode()


def _cost(environ: Mapping[str, str], *, keep: bool = False, scraped: bool = False) -> Cost:
    ports = [int(at.rpartition(":")[2]) for at in free_addresses(["plain", "mute"]).values()]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        config = Path(folder, "exporter.yml")
        config.write_bytes(configuration(ports[0], keep=keep))
        served = [sys.executable, "-m", "lab.soak", "--serve", *map(str, ports)]
        stack.enter_context(child(1, served, environ))
        code = f"from bench.watching import *; watch({str(config)!r}, {_SECONDS}, {scraped})"
        told = line(stack.enter_context(child(0, [sys.executable, "-c", code], environ)))
    return Cost(**json.loads(told))


def _measure(environ: Mapping[str, str]) -> Measured:
    there = {**environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    sides: Mapping[str, Callable[[], Cost]] = {
        "new connections": lambda: _cost(there),
        "kept connections": lambda: _cost(there, keep=True),
        "new, rendered every 15 s": lambda: _cost(there, scraped=True),
    }
    rounds = [{name: side() for name, side in sides.items()} for _ in range(_ROUNDS)]
    found = {name: median([each[name] for each in rounds]) for name in sides}
    for name, cost in found.items():
        print(f"{name:25s} {cost}")
    print(f"{'limits':25s} {LIMIT.cores} core, {LIMIT.rss_mebibytes:g} MiB, 2 ms")
    return Measured(ratio=found["new connections"].beside(LIMIT), reach=1, bound="at most")


FIGURE = Figure(
    name="fleet",
    text="10,000 targets every 5 s on one core: the worst of processor, memory and start lag"
    " beside its limit",
    run=_measure,
)
