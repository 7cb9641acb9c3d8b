"""The contract of an evidence source and its registry; one file each in sources/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import aiohttp

from responder.alert import Change
from responder.incident import Incident
from responder.investigation.evidence import Evidence, Frame, Recalled, Window
from responder.investigation.sharing import Moment
from responder.past import Memory
from toolkit.plugins import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """Who calls whom: `calls` are (caller, callee); `component_label` names a series' component."""

    component_label: str = "service"
    calls: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a source is asked: the incident, the window around its onset, and the topology.

    `session` is shared; `deadline_seconds` bounds the whole of one source's work. What
    other incidents ask alike is asked once, through `moment`. Where it `is_past`, what is known of
    the present alone must not be told: only a source that says `knows_past` is asked.
    `memory` gives what was reported of incidents like this one, where there is a database.
    """

    incident: Incident
    window: Window
    step_seconds: float
    topology: Topology
    changes: tuple[Change, ...]
    session: aiohttp.ClientSession
    deadline_seconds: float
    moment: Moment = field(default_factory=Moment)
    is_past: bool = False
    memory: Memory | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a source brought: evidence (ids are given later) and, from metrics, a frame."""

    evidence: Sequence[Evidence]
    frame: Frame | None = None


class Source(Protocol):
    """Read-only; never raises for what the far end does: it returns evidence that says so."""

    async def gather(self, question: Question) -> Finding:
        """Ask the far end, within its limits and the deadline."""
        ...


@runtime_checkable
class Recaller(Protocol):
    """A source that can be asked what one of its queries gave at another time."""

    async def recall(
        self,
        query: str,
        window: Window,
        step_seconds: float,
        session: aiohttp.ClientSession,
        deadline_seconds: float,
    ) -> Recalled:
        """Ask, within the deadline; never raises for what the far end does."""
        ...


sources: Registry[Source] = Registry("source")
