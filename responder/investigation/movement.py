"""What each series did around the onset, as typed numbers that evidence keeps and claims cite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from responder.investigation.evidence import Frame, Quantity
from responder.investigation.suspects import Levels
from responder.investigation.vocabulary import Role

BEFORE, SINCE, FACTOR, MOVED, NOW = "before", "since the onset", "times as much", "moved at", "now"
LIVELY = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """One column of the frame: `before` and `since` are medians, `harm` how much worse it got.

    `evidence` is the id of the evidence that holds the same numbers; `shares` are the share of
    samples since the onset that are above zero, and the same before it.
    """

    index: int
    role: Role
    name: str
    component: str
    unit: str
    evidence: str
    labels: Mapping[str, str] = field(default_factory=dict)
    before: float = math.nan
    since: float = math.nan
    now: float = math.nan
    first: float = math.nan
    deviation: float = 0.0
    harm: float = 0.0
    moved_at: float | None = None
    share_since: float = 0.0
    share_before: float = 0.0

    @property
    def factor(self) -> float:
        """Since the onset over before; infinite from nothing, NaN without a baseline."""
        if math.isnan(self.before) or math.isnan(self.since):
            return math.nan
        if self.before == 0:
            return math.inf if self.since > 0 else 1.0
        return self.since / self.before

    @property
    def lively(self) -> bool:
        """It left its noise since the onset."""
        return abs(self.deviation) >= LIVELY

    def quantities(self) -> tuple[Quantity, ...]:
        """Return the numbers of this movement; what is not known is left out."""
        shown = {k: v for k, v in self.labels.items() if not k.startswith("__")}
        named = [(BEFORE, self.before, self.unit), (SINCE, self.since, self.unit)]
        named += [(NOW, self.now, self.unit), (FACTOR, self.factor, "ratio")]
        if self.lively and self.moved_at is not None:
            named.append((MOVED, self.moved_at, "timestamp"))
        return tuple(
            Quantity(name=name, value=_rounded(value), unit=unit, labels=shown)
            for name, value, unit in named
            if math.isfinite(value)
        )


def _rounded(value: float) -> float:
    """Keep nine significant digits: more is noise of the arithmetic, and costs space."""
    return float(f"{value:.13g}")


def movements(frame: Frame, found: Levels, onset_at: float) -> tuple[Movement, ...]:
    """Return one movement per column, in the frame's order."""
    late = frame.times >= onset_at
    return tuple(_one(frame, found, late, index) for index in range(len(frame.labels)))


def _one(frame: Frame, found: Levels, late: np.ndarray, index: int) -> Movement:
    labels = frame.labels[index]
    values = frame.values[:, index]
    finite = values[np.isfinite(values)]
    moved = float(found.moved_at[index])
    return Movement(
        index=index,
        role=Role(labels.get("__role__", Role.OTHER)),
        name=labels.get("__name__", ""),
        component=labels.get("component", ""),
        unit=labels.get("__unit__", ""),
        evidence=labels.get("__evidence__", ""),
        labels={k: v for k, v in labels.items() if not k.startswith("__") and k != "component"},
        before=float(found.before[index]),
        since=float(found.since[index]),
        now=float(finite[-1]) if len(finite) else math.nan,
        first=float(finite[0]) if len(finite) else math.nan,
        deviation=float(found.deviation[index]),
        harm=float(found.harm[index]),
        moved_at=None if math.isnan(moved) else moved,
        share_since=_share(values[late]),
        share_before=_share(values[~late]),
    )


def _share(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float((finite > 0).mean()) if len(finite) else 0.0
