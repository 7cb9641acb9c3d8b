"""The contract of an evidence source and its registry; one file each in sources/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp

from responder.alert import Change
from responder.incident import Incident
from responder.investigation.evidence import Evidence, Frame, Window
from responder.investigation.sharing import Moment
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
    other incidents ask alike is asked once, through `moment`.
    """

    incident: Incident
    window: Window
    step_seconds: float
    topology: Topology
    changes: tuple[Change, ...]
    session: aiohttp.ClientSession
    deadline_seconds: float
    moment: Moment = field(default_factory=Moment)


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


sources: Registry[Source] = Registry("source")
