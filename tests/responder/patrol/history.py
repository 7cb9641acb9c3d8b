"""A past written down as OpenMetrics, and a real Prometheus that has it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process

EVERY_SECONDS = 60.0
Value = Callable[[float], float | None]


@dataclass(kw_only=True, slots=True)
class History:
    """Samples of series; spans are (start, end) in seconds since the epoch."""

    lines: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        labels: Mapping[str, str],
        value: Value,
        spans: Sequence[tuple[float, float]],
    ) -> None:
        """Write a series down; a value of None leaves a gap."""
        named = ",".join(f'{key}="{each}"' for key, each in labels.items())
        for start, end in spans:
            at = start
            while at <= end:
                sample = value(at)
                if sample is not None:
                    self.lines.append(f"{name}{{{named}}} {sample!r} {at:.3f}")
                at += EVERY_SECONDS

    def mean(
        self,
        family: str,
        labels: Mapping[str, str],
        seconds: Value,
        spans: Sequence[tuple[float, float]],
        *,
        resets_at: float = float("inf"),
    ) -> None:
        """Write down a histogram's sum and count, with this mean and two runs a minute."""
        for start, end in spans:
            total, count = 0.0, 0.0
            totals, counts = {}, {}
            at = start
            while at <= end:
                if at >= resets_at > at - EVERY_SECONDS:
                    total, count = 0.0, 0.0
                total, count = total + 2 * (seconds(at) or 0.0), count + 2
                totals[at], counts[at] = total, count
                at += EVERY_SECONDS
            self.add(f"{family}_sum", labels, totals.__getitem__, [(start, end)])
            self.add(f"{family}_count", labels, counts.__getitem__, [(start, end)])

    def prometheus(self, programs: Mapping[str, Path], folder: Path) -> tuple[Process, str]:
        """Give a Prometheus with it, not started, and its address."""
        text = folder / "past.om"
        text.write_text("\n".join([*self.lines, "# EOF", ""]))
        data = folder / "data"
        asked = (str(programs["promtool"]), "tsdb", "create-blocks-from", "openmetrics")
        made = subprocess.run(
            [*asked, str(text), str(data)], capture_output=True, text=True, timeout=120, check=False
        )
        assert made.returncode == 0, made.stderr
        (folder / "prometheus.yml").write_text("scrape_configs: []\n")
        address = free_addresses(("http",))["http"]
        argv = (
            str(programs["prometheus"]),
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--storage.tsdb.retention.time=90d",
            f"--web.listen-address={address}",
        )
        launch = Launch(
            name="prometheus",
            argv=argv,
            folder=folder,
            log=folder / "prometheus.log",
            ready_url=f"http://{address}/-/ready",
        )
        return Process(launch), f"http://{address}"
