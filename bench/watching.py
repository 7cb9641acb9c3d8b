"""What `fleet` runs in a process of its own: the exporter's fleet, without its web side."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import uvloop

from lab.soak.memory import MEBIBYTE, cpu_seconds, rss_bytes

_SETTLE_INTERVALS = 2


class _Late:
    """Keeps every run's lateness in the histogram's place."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def observe(self, seconds: float) -> None:
        """Keep one."""
        self.seconds.append(seconds)


def quantile(values: list[float], share: float) -> float:
    """Give a quantile, 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def watch(config_file: str, seconds: float, scraped: bool) -> None:  # noqa: FBT001 - called by text
    """Run the fleet of a configuration for *seconds* once it has settled; prints JSON.

    What it took is counted from there on, when every target has had its first run.
    """
    from exporter.agent import Surroundings  # noqa: PLC0415 - in its own process
    from exporter.config import load  # noqa: PLC0415
    from exporter.exposition import Exposition  # noqa: PLC0415
    from exporter.fleet import Fleet, settle  # noqa: PLC0415
    from exporter.instruments import Instruments  # noqa: PLC0415
    from exporter.transport import open_transport  # noqa: PLC0415
    from toolkit import logging  # noqa: PLC0415
    from toolkit.lifecycle import Supervisor  # noqa: PLC0415

    logging.configure(level="error", format="logfmt")
    config = load(Path(config_file), environ={})
    interval = config.targets[0].interval_seconds

    async def render(fleet: Fleet, clock: Any) -> None:
        exposition = Exposition()
        while scraped:
            await exposition.render_between(fleet.records, now=clock(), openmetrics=False)
            await asyncio.sleep(15)

    async def run() -> dict[str, float]:
        instruments, late, pid = Instruments(), _Late(), os.getpid()
        instruments.lateness = late  # type: ignore[assignment]
        async with open_transport() as transport, Supervisor() as supervisor:
            around = Surroundings(transport=transport, instruments=instruments)
            fleet = Fleet(supervisor, around)
            await fleet.take(config)
            settle()
            supervisor.spawn("render", render, fleet, around.clock)
            await asyncio.sleep(_SETTLE_INTERVALS * interval)
            late.seconds.clear()
            runs, failures = _counts(fleet)
            dropped = _dropped(instruments)
            began, used = time.monotonic(), cpu_seconds(pid)
            await asyncio.sleep(seconds)
            took, used = time.monotonic() - began, cpu_seconds(pid) - used
            held, seen = rss_bytes(pid), list(late.seconds)
            runs_after, failures_after = _counts(fleet)
        return {
            "cores": used / took,
            "rss_mebibytes": held / MEBIBYTE,
            "lag_seconds": quantile(seen, 0.99),
            "runs_per_second": (runs_after - runs) / took,
            "wrong": int(failures_after - failures + _dropped(instruments) - dropped),
        }

    print(json.dumps(uvloop.run(run())), flush=True)


def _counts(fleet: Any) -> tuple[float, float]:
    """Count the fleet's runs and failures so far, quickly, since the runs go on."""
    records = fleet.records
    return sum(each.version for each in records), sum(len(each.failures) for each in records)


def _dropped(instruments: Any) -> float:
    value: float = instruments.registry.get_sample_value("vigie_exporter_runs_dropped_total")
    return value
