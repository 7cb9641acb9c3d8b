"""A possible cause with what carries it, and the sentences that say so in numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from responder.investigation.evidence import CauseKind, Point
from responder.investigation.movement import Movement
from responder.investigation.vocabulary import Role
from responder.investigation.wording import amount, clock, span, times


@dataclass(frozen=True, kw_only=True, slots=True)
class Hypothesis:
    """A component and a cause kind; `strength` is 0 to 1, before the topology is looked at.

    `local` says that the component itself was seen to do it, so that no caller or callee can
    have made it look so.
    """

    component: str
    kind: CauseKind
    strength: float
    points: tuple[Point, ...]
    moved_at: float | None = None
    local: bool = False
    opposing: tuple[str, ...] = ()

    def weighed(self, factor: float) -> Hypothesis:
        """Return the same with its strength multiplied."""
        return replace(self, strength=self.strength * factor)


_NOUNS = {
    Role.LATENCY: "time per request",
    Role.FIRST_TOKEN: "time to first token",
    Role.TOKEN_GAP: "time per output token",
    Role.QUEUE: "requests waiting",
    Role.QUEUE_TIME: "time in the queue",
    Role.RUNNING: "requests running",
    Role.IN_FLIGHT: "requests in flight",
    Role.TRAFFIC: "requests",
    Role.TOKENS: "tokens generated",
    Role.PROMPT_TOKENS: "prompt tokens",
    Role.CACHE: "key-value cache in use",
    Role.MEMORY: "memory in use",
    Role.CPU: "processors in use",
    Role.ERROR_RATIO: "share of failed requests",
    Role.THROTTLED_RATIO: "share of refused requests",
    Role.UPSTREAM_LATENCY: "time a peer takes",
    Role.UPSTREAM_ERROR_RATIO: "share of failed requests to a peer",
    Role.UPSTREAM_TRAFFIC: "requests to a peer",
    Role.PROBE_LATENCY: "probe duration",
    Role.PROBE_FIRST_TOKEN: "time to first token seen by the junior",
    Role.PROBE_TOKEN_GAP: "time per output token seen by the junior",
    Role.PROBE_QUALITY: "canaries answered right",
}


def noun(movement: Movement) -> str:
    """Say what a movement is of."""
    name = _NOUNS.get(movement.role, movement.name)
    if peer := movement.labels.get("peer"):
        return name.replace("a peer", peer)
    return name


def moved(movement: Movement, *, timed: bool = True) -> Point:
    """Say what a series is now and was before, and since when."""
    now = amount(movement.since, movement.unit)
    text = f"{movement.component}: {noun(movement)} {now}"
    if not math.isnan(movement.before):
        text += f", was {amount(movement.before, movement.unit)}"
        if math.isfinite(movement.factor) and movement.factor >= 1.3:
            text += f" ({times(movement.factor)})"
    if timed and movement.lively and movement.moved_at is not None:
        text += f", since {clock(movement.moved_at)}"
    return Point(text=text, evidence=(movement.evidence,))


def level(movement: Movement) -> Point:
    """Say that a series stays near its usual level."""
    usual = (
        "" if math.isnan(movement.before) else (f", was {amount(movement.before, movement.unit)}")
    )
    text = f"{movement.component}: {noun(movement)} {amount(movement.since, movement.unit)}{usual}"
    return Point(text=text, evidence=(movement.evidence,))


def earlier(first: Movement, second: Movement) -> str:
    """Say by how much one movement comes before another; empty when it does not."""
    if first.moved_at is None or second.moved_at is None:
        return ""
    gap = second.moved_at - first.moved_at
    whom = f"its {noun(second)}" if second.component == first.component else second.component
    return f", {span(gap)} before {whom}" if gap > 0 else ""


def rose(movement: Movement, factor: float, least: float) -> bool:
    """Say whether a movement went up for good: by a factor and by an amount."""
    if math.isnan(movement.since):
        return False
    before = 0.0 if math.isnan(movement.before) else movement.before
    grown = movement.since - before >= least
    return grown and movement.deviation >= 3 and movement.since >= factor * before


def sentence(points: Sequence[Point]) -> str:
    """Join points to one sentence."""
    return "; ".join(point.text for point in points)


def unique(points: Sequence[Point]) -> tuple[Point, ...]:
    """Drop points that say the same, keeping the order."""
    return tuple(dict.fromkeys(points))
