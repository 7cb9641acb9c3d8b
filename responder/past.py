"""What is remembered of earlier incidents: what their reports said, which proves nothing now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from responder.incident import Incident

ORIGIN = "memory"
"""The origin of what memory tells; nothing that is ranked, grounded or counted may rest on it."""

SEEN, TRUE_CAUSE = "seen before", "true cause"
"""How the facts begin that tell of past incidents, and those that name `component: kind`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """One incident that has a report: when it began, and what that report said first.

    `verdict` is what an operator said of it in a few words, empty where nobody did; then
    `true_component` and `true_kind` are the cause that he named or agreed to.
    """

    incident: str
    opened_at: float
    likeness: str
    headline: str
    component: str
    kind: str
    confidence: str
    decision: str
    verdict: str = ""
    true_component: str = ""
    true_kind: str = ""


Memory = Callable[[Incident, frozenset[str]], Awaitable[Sequence[Past]]]
"""Gives what is like an incident, the nearest first; the second is what components it is about."""
