"""Investigates incidents of the past one after the other, as of their time, from code alone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import aiohttp

from responder.backtest.past import Past
from responder.investigation.report import Report
from responder.investigation.stages import Limits, Stages
from responder.investigation.whole import investigated
from responder.source import Source, Topology


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What every trial stands on.

    Nothing that happened more than `look_after_seconds` after its beginning is looked at.
    """

    sources: Sequence[Source]
    topology: Topology
    session: aiohttp.ClientSession
    limits: Limits
    look_after_seconds: float
    stopwatch: Callable[[], float] = time.monotonic


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One report that there would have been, and how long it took to write now."""

    past: Past
    report: Report
    seconds: float


async def trials(ground: Ground, pasts: Sequence[Past]) -> AsyncIterator[Trial]:
    """Investigate each, in order; a source that fails is in the report, as it is live."""
    for past in pasts:
        began = ground.stopwatch()
        report = await _investigate(ground, past)
        yield Trial(past=past, report=report, seconds=ground.stopwatch() - began)


async def _investigate(ground: Ground, past: Past) -> Report:
    at = past.investigated_at + ground.look_after_seconds
    stages = Stages(
        sources=ground.sources,
        topology=ground.topology,
        analysts=(),
        session=ground.session,
        limits=ground.limits,
        clock=lambda: at,
        is_past=True,
    )
    return await investigated(stages, past.incident, (), clock=lambda: at)
