"""What a process holds and uses (proc(5)), and whether its memory grows."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20
_MOST_POINTS = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """The resident memory of a process at a moment, in seconds since it was watched."""

    at: float
    rss_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """How memory went: the line through the samples (Theil and Sen's, which no peak moves)."""

    bytes_per_minute: float
    level_bytes: float
    grown_bytes: float
    """From the first sample judged to the last, on that line."""


def growth(samples: Sequence[Held], *, since: float) -> Growth:
    """Judge the samples from *since* on; raises ValueError when there are fewer than two."""
    judged = [each for each in samples if each.at >= since]
    if len(judged) < 2:
        raise ValueError(f"memory: {len(judged)} samples since {since:g} s; watch for longer")
    thinned = judged[:: -(-len(judged) // _MOST_POINTS)]
    slope = statistics.median(
        (after.rss_bytes - before.rss_bytes) / (after.at - before.at)
        for index, before in enumerate(thinned)
        for after in thinned[index + 1 :]
        if after.at > before.at
    )
    return Growth(
        bytes_per_minute=slope * 60,
        level_bytes=statistics.median(each.rss_bytes for each in judged),
        grown_bytes=slope * (judged[-1].at - judged[0].at),
    )


def rss_bytes(pid: int) -> int:
    """Give the memory that a process holds now; raises OSError when it is gone."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Give the CPU time that a process has used; raises OSError when it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
