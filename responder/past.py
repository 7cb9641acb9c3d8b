"""What is remembered of earlier incidents: what their reports said, which proves nothing now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from responder.incident import Incident

ORIGIN = "memory"
"""The origin of what memory tells; nothing that is ranked, grounded or counted may rest on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """One incident that has a report: when it began, and what that report said first."""

    incident: str
    opened_at: float
    likeness: str
    headline: str
    component: str
    kind: str
    confidence: str
    decision: str


Memory = Callable[[Incident, frozenset[str]], Awaitable[Sequence[Past]]]
"""Gives what is like an incident, the nearest first; the second is what components it is about."""
