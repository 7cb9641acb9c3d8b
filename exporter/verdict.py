"""The last run, the canaries' last runs and the native metrics -> State; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.target import Reason, State

ANSWER_REASONS = frozenset({Reason.WRONG_ANSWER, Reason.SCHEMA, Reason.CUT_OFF, Reason.EMPTY})
"""The endpoint answered, but not rightly: what counts against a canary."""

LATE_REASONS = frozenset({Reason.TIMEOUT_FIRST_TOKEN, Reason.TIMEOUT_TOTAL, Reason.STALL})
"""It took the request and did not finish in time; the native metrics tell why."""

_SILENT_REASONS = frozenset(
    {
        Reason.AUTH,
        Reason.HTTP_4XX,
        Reason.RATE_LIMITED,
        Reason.FORBIDDEN,
        Reason.REDIRECT,
        Reason.INTERNAL,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeView:
    """What the server's own metrics said around a run.

    `waiting` is the queue's length; `moved` whether tokens were counted lately; None: not told.
    """

    reachable: bool
    waiting: float | None = None
    moved: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """All that a state is decided from.

    `native` is None where none is configured; `retry_after` says that a 429 or 503 named a time.
    """

    reason: Reason | None = None
    over_limit: bool = False
    buffered: bool = False
    required_under: bool = False
    optional_under: bool = False
    retry_after: bool = False
    native: NativeView | None = None


def is_under(history: Sequence[bool], *, needed: int, among: int) -> bool:
    """Say whether a canary is under its k of n: too many of its last n runs were wrong.

    Runs not yet made count as right, so that the first wrong answer of 2 of 3 is still noise.
    """
    wrong = sum(not right for right in history[-among:])
    return wrong > among - needed


def decide(seen: Seen) -> State:
    """Decide the state of the last run, row by row."""
    if seen.retry_after and seen.reason in {Reason.RATE_LIMITED, Reason.HTTP_5XX}:
        return State.SATURATED
    if seen.reason is None or seen.reason in ANSWER_REASONS:
        return _answered(seen)
    if seen.reason in LATE_REASONS:
        return _late(seen.native)
    return State.UNKNOWN if seen.reason in _SILENT_REASONS else State.DOWN


def _answered(seen: Seen) -> State:
    if seen.required_under:
        return State.WRONG
    forgiven = seen.reason is not None
    if seen.over_limit or seen.buffered or seen.optional_under or forgiven:
        return State.DEGRADED
    return State.OK


def _late(native: NativeView | None) -> State:
    if native is None:
        return State.UNRESPONSIVE
    if not native.reachable:
        return State.DOWN
    if native.moved is False:
        return State.HUNG  # our own request is inside, whatever the gauges say
    if native.moved and native.waiting:
        return State.SATURATED
    return State.UNRESPONSIVE
