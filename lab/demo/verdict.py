"""Holds a report against the truth of the fault that was set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.report_checker import Checked


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """What was really broken, and since when (seconds since the epoch)."""

    fault: str
    component: str
    cause_kind: str
    onset_at: float
    undecided: bool = False
    """Whether the data do not allow to name it, so that a report may say so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The first cause that the report names, beside the truth."""

    truth: Truth
    component: str
    cause_kind: str
    confidence: str
    headline: str
    analyst: str
    notes: tuple[str, ...]
    seconds: float
    checked: Checked | None = None

    @property
    def holds(self) -> bool:
        """Nothing in the report was missing from its evidence when it was read again."""
        return self.checked is None or not self.checked.problems

    @property
    def right(self) -> bool:
        """The report's first cause is the fault that was set, or honestly none at its place."""
        if self.component != self.truth.component:
            return False
        unknown = self.truth.undecided and self.cause_kind == "unknown"
        return unknown or self.cause_kind == self.truth.cause_kind


def judge(truth: Truth, report: Mapping[str, Any] | None, seconds: float) -> Verdict:
    """Read the first cause out of a report of the responder's API; no report names nothing."""
    found = report or {}
    causes = found.get("causes") or [{}]
    return Verdict(
        truth=truth,
        component=causes[0].get("component", "-"),
        cause_kind=causes[0].get("kind", "-"),
        confidence=causes[0].get("confidence", "-"),
        headline=found.get("headline", "no report"),
        analyst=found.get("analyst", "-"),
        notes=tuple(found.get("notes", ())),
        seconds=seconds,
    )
