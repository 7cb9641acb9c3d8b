"""What a ranking is made from: series with their owners, a cut in time, and who calls whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Family(StrEnum):
    """What a series tells of its component; latency and errors are symptoms, others are not."""

    LATENCY = "latency"
    ERRORS = "errors"
    TRAFFIC = "traffic"
    CPU = "cpu"
    MEMORY = "memory"
    SATURATION = "saturation"
    NETWORK = "network"
    OTHER = "other"


SYMPTOMS = frozenset({Family.LATENCY, Family.ERRORS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One series: whose it is, what it measures, and which way is worse (0 means either).

    Columns with the same `metric` are peers: they lend each other a scale. `size` is what counts
    as sizable in the series' unit, where that is known (0 leaves it to the peers), and `least` the
    deviation under which nothing matters. `is_typical` marks the symptom's series that its cost is
    told from (without any, it is told from all); what `is_suspect` not is measured, and blames
    nobody.
    """

    component: str
    metric: str
    family: Family
    way: int
    size: float = 0.0
    least: float = 0.0
    is_typical: bool = False
    is_suspect: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """Samples x series, NaN where missing; rows before `base_end` are usual, from `late` on not.

    `target` is the alerting column, `front` the alerting component, where they are known.
    """

    values: Floats
    columns: tuple[Column, ...]
    base_end: int
    late: int
    calls: tuple[tuple[str, str], ...] = ()
    target: int | None = None
    front: str | None = None
