"""Whether an alert that we do not have is a gap: it would have come to us, and it did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from responder.absence import Listed, Span, fingerprint, may_be_same
from responder.alert import Alert, AlertStatus
from responder.incident import WATCHDOG, Policy
from responder.routes import Route, UnsureError
from responder.store import comparison, episodes
from responder.store.engine import Connection
from responder.witness import Fired

_SLACK_SECONDS = 0.5
# Before that, intake would take what fires for a late repeat.
_STALE_SECONDS = Policy().stale_within_seconds


class Kind(StrEnum):
    """The kinds of gaps."""

    MISSED = "missed"
    MISSED_AND_OVER = "missed_and_over"
    TRUNCATED = "truncated"
    CLOSED = "closed"


REASONS = {
    Kind.MISSED: "found firing in Alertmanager; it had not reached us, or only as a late repeat",
    Kind.MISSED_AND_OVER: "found in Prometheus; it fired and was over without reaching us",
    Kind.TRUNCATED: "cut from Alertmanager's post; fetched from it",
    Kind.CLOSED: "closed by comparison: neither Alertmanager nor Prometheus has it any more,"
    " and its resolution never reached us",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """What is to be stored late; `entry` is what the API answered."""

    kind: Kind
    alert: Alert
    entry: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What spans that are over are judged by.

    `between`: only those that ended then. Outside of `unheard` times, what was shorter than
    `least_seconds` was held back by Alertmanager's own grouping.
    """

    listed: Mapping[str, Listed]
    trees: Sequence[Route | None]
    receivers: frozenset[str]
    unheard: tuple[tuple[float, float], ...]
    held: frozenset[str]
    between: tuple[float, float]
    least_seconds: float


@dataclass(kw_only=True, slots=True)
class Verdict:
    """The gaps, and the doubts by what they are about; `is_cut_short`: one began earlier."""

    gaps: list[Gap] = field(default_factory=list)
    doubts: dict[str, str] = field(default_factory=dict)
    is_cut_short: bool = False


def grace(least: float, trees: Iterable[Route | None], receivers: frozenset[str]) -> float:
    """Give how long an alert may be on its way to us by the routes that lead here."""
    routes = [each for tree in trees if tree for each in tree.all()]
    ours = [each for each in routes if each.receiver in receivers]
    return max([least, *(each.wait_seconds + each.interval_seconds for each in ours)])


def unknown(
    connection: Connection, listed: Iterable[Listed], at: float, grace_seconds: float
) -> Sequence[Listed]:
    """Give those that no episode stands for at a time; the watchdog never needs one.

    An episode that has just ended does for a while: they may not know yet that it is over.
    """
    wanted = [each for each in listed if each.alert.name != WATCHDOG]
    if not wanted:
        return ()
    there = {each.alert.fingerprint for each in comparison.open_episodes(connection)}
    rest = [each for each in wanted if each.alert.fingerprint not in there]
    over_since = at - max(grace_seconds, _STALE_SECONDS)
    return [each for each in rest if not comparison.has_begun(connection, each.alert, over_since)]


def untimed(
    listed: Iterable[Listed], trees: Sequence[Route | None], receivers: frozenset[str]
) -> tuple[Sequence[Listed], Mapping[str, str]]:
    """Tell those apart that a route may only be muting for a time: they are doubtful."""
    sure: list[Listed] = []
    doubts = {}
    for each in listed:
        ends = _ends(each.alert.labels, trees, receivers)
        if any(route.is_timed for route in ends):
            doubts[each.alert.fingerprint] = "its route sends at certain times only"
        else:
            sure.append(each)
    return sure, doubts


def _ends(
    labels: Mapping[str, str], trees: Sequence[Route | None], receivers: frozenset[str]
) -> Sequence[Route]:
    found = [each for tree in trees if tree for each in tree.match(labels)]
    return [each for each in found if each.receiver in receivers]


def fires(alert: Alert, fired: Iterable[Fired]) -> bool:
    """Tell whether a Prometheus may still fire it: by its fingerprint, or labels that agree."""
    return any(
        alert.fingerprint in each.fingerprints
        or any(_agree(span.labels, alert.labels) for span in each.now)
        for each in fired
    )


def _agree(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return one.get("alertname") == other.get("alertname") and may_be_same(one, other)


def closing(alert: Alert, ended_at: float) -> Gap:
    """Give the end of an alert whose resolution was lost."""
    over = alert.model_copy(
        update={"status": AlertStatus.RESOLVED, "ends_at": max(ended_at, alert.starts_at)}
    )
    return Gap(kind=Kind.CLOSED, alert=over, entry={})


def over(connection: Connection, case: Case, fired: Iterable[Fired]) -> Verdict:
    """Judge what fired and is over."""
    verdict = Verdict()
    for each in fired:
        ended = [span for span in each.over if case.between[0] < span.ends_at <= case.between[1]]
        problem = _distrust(each, case)
        for span in ended:
            _judge(connection, case, each, span, problem, verdict)
    return verdict


def _distrust(fired: Fired, case: Case) -> str:
    """Say why the labels that we compute cannot be trusted, if so: Alertmanager shows others."""
    if fired.rewriting is None:
        return fired.problem or "what is done to its labels is not known"
    if any(tree is None for tree in case.trees):
        return "Alertmanager's routes are not known"
    for key, span in fired.fingerprints.items():
        name = span.labels.get("alertname")
        alike = [
            each
            for each in case.listed.values()
            if each.alert.name == name and _agree(span.labels, each.alert.labels)
        ]
        if alike and key not in case.listed:
            return "Alertmanager shows it under other labels than those computed"
    return ""


def _judge(  # noqa: PLR0913, PLR0917 - one span in its case
    connection: Connection, case: Case, fired: Fired, span: Span, problem: str, verdict: Verdict
) -> None:
    if span.labels.get("alertname") == WATCHDOG:
        return
    doubtful = f"{sorted(span.labels.items())} {span.starts_at}"
    near = comparison.alerts_named(
        connection, span.labels.get("alertname", ""), span.starts_at, span.ends_at
    )
    if any(may_be_same(span.labels, each.labels) for each in near):
        return  # it came, under this name or with labels that Prometheus does not show
    try:
        alert = None if problem else _alert(span, fired)
        reason = problem
    except UnsureError as error:
        alert, reason = None, str(error)
    if reason:
        verdict.doubts[doubtful] = reason
        return
    if alert is None or not _was_for_us(alert, span, case, verdict, doubtful):
        return
    if episodes.overlapping(connection, alert, span.ends_at) is not None:
        return
    if span.starts_at - fired.start < 2 * _SLACK_SECONDS + _interval(span):
        verdict.is_cut_short = True
    entry = {"alert": dict(span.labels), "labels": dict(alert.labels)}
    gap = Gap(kind=Kind.MISSED_AND_OVER, alert=alert, entry=entry)
    if all(
        each.alert.fingerprint != alert.fingerprint or each.alert.starts_at != alert.starts_at
        for each in verdict.gaps
    ):
        verdict.gaps.append(gap)


def _interval(span: Span) -> float:
    return min(60.0, span.ends_at - span.starts_at)


def _alert(span: Span, fired: Fired) -> Alert | None:
    labels = fired.rewriting.apply(span.labels) if fired.rewriting else None
    if labels is None:
        return None
    return Alert(
        fingerprint=fingerprint(labels),
        status=AlertStatus.RESOLVED,
        labels=labels,
        annotations={},
        starts_at=span.starts_at,
        ends_at=span.ends_at,
    )


def _was_for_us(alert: Alert, span: Span, case: Case, verdict: Verdict, doubtful: str) -> bool:
    """Tell whether Alertmanager would have sent it to us, had we been there."""
    seconds = span.ends_at - span.starts_at
    ends = _ends(alert.labels, case.trees, case.receivers)
    listed = case.listed.get(alert.fingerprint)
    is_one_that_fires = listed is not None and listed.alert.starts_at < span.ends_at
    if not ends or alert.fingerprint in case.held or is_one_that_fires:
        return False
    if any(route.is_timed for route in ends):
        verdict.doubts[doubtful] = "its route sends at certain times only"
        return False
    if seconds + _SLACK_SECONDS < min(route.wait_seconds for route in ends):
        return False
    is_unheard = any(span.starts_at < to and span.ends_at > since for since, to in case.unheard)
    return is_unheard or seconds >= case.least_seconds
