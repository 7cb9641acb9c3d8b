"""The last run, the canaries' last runs and the native metrics -> State; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.swift import swift
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


@swift
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
    last = history if len(history) <= among else history[-among:]
    return last.count(False) > among - needed


def decide(seen: Seen) -> State:
    """Decide the state of the last run."""
    return judge(seen)[0]


def judge(seen: Seen) -> tuple[State, str]:
    """Decide the state of the last run, row by row, and say for people why."""
    if seen.retry_after and seen.reason in {Reason.RATE_LIMITED, Reason.HTTP_5XX}:
        return State.SATURATED, "refused for now, with a time to come back at"
    if seen.reason is None or seen.reason in ANSWER_REASONS:
        return _answered(seen)
    if seen.reason in LATE_REASONS:
        return _late(seen.native)
    if seen.reason in _SILENT_REASONS:
        return State.UNKNOWN, "this tells of our request or access, not of the endpoint's health"
    return State.DOWN, "no whole answer came"


def _answered(seen: Seen) -> tuple[State, str]:
    if seen.required_under:
        return State.WRONG, "too few of the last answers were right"
    is_right = seen.reason is None
    if is_right and not (seen.over_limit or seen.buffered or seen.optional_under):
        return State.OK, "right and within its limits"
    lacks = (
        (not is_right, "not right, but enough of the last answers were"),
        (seen.over_limit, "right, but over a limit"),
        (seen.buffered, "the stream came all at once: something on the way holds it back"),
        (seen.optional_under, "too few of an optional canary's last answers were right"),
    )
    return State.DEGRADED, "; ".join([text for holds, text in lacks if holds])


def _late(native: NativeView | None) -> tuple[State, str]:
    if native is None:
        return State.UNRESPONSIVE, "not finished in time; no metrics of the server's say why"
    if not native.reachable:
        return State.DOWN, "not finished in time, and the server's metrics cannot be reached either"
    if native.moved is False:
        # Our own request is inside, whatever the gauges say.
        return State.HUNG, "not finished in time, and the server made no token meanwhile"
    if native.moved and native.waiting:
        return State.SATURATED, "not finished in time; the server makes tokens, and requests wait"
    return State.UNRESPONSIVE, "not finished in time; the server's metrics show no queue"
