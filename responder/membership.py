"""Who belongs to an incident: as it opens and grows, after its report, and when two are one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from responder.alert import Alert, Episode
from responder.incident import Incident, IncidentState, Known, Placement, Policy, severity_rank
from responder.investigation.evidence import CauseKind
from responder.investigation.report import Confidence


def as_opened(incident_id: str, alert: Alert, at: float, placement: Placement) -> Known:
    """Give what is known of an incident that *placement* has just opened for *alert*."""
    is_occurrence = placement.occurrence_of is not None
    return Known(
        id=incident_id,
        opened_at=at,
        joined_at=at,
        state=IncidentState.CLOSED if is_occurrence else IncidentState.WAITING,
        severity_rank=severity_rank(alert.severity),
        alertnames=frozenset({alert.name}),
        is_resolved=False,
        targets=frozenset({alert.target} if alert.target else ()),
        occurrence_of=placement.occurrence_of,
        recurs=placement.recurs,
    )


def as_joined(known: Known, alert: Alert, at: float, placement: Placement) -> Known:
    """Give what is known of an incident that *alert* has just joined."""
    return replace(
        known,
        joined_at=at,
        severity_rank=min(known.severity_rank, severity_rank(alert.severity)),
        alertnames=known.alertnames | {alert.name},
        is_resolved=False,
        targets=known.targets | ({alert.target} if alert.target else frozenset()),
        flaps=known.flaps + int(placement.flaps),
    )


def uncovered(incident: Incident, examined: Incident) -> tuple[Episode, ...]:
    """Give the open episodes of *incident* that the report on *examined*, as it was, leaves out.

    They came while it was investigated, and are another alert or a worse severity.
    """
    there = {episode.id for episode in examined.episodes}
    worst = severity_rank(examined.severity)
    return tuple(
        episode
        for episode in incident.episodes
        if episode.id not in there
        and episode.resolved_at is None
        and (
            episode.alert.name not in examined.alertnames
            or severity_rank(episode.alert.severity) < worst
        )
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a report came to: its first cause, when that began, and how long the incident was."""

    incident_id: str
    component: str
    kind: CauseKind
    confidence: Confidence
    onset_at: float
    opened_at: float
    resolved_at: float | None


def same_cause(one: Finding, other: Finding, policy: Policy) -> str | None:
    """Tell why two reported incidents are one, None when nothing says that they are.

    Both name the same component and kind with more than low confidence, from about the same
    moment on, and one was not over when the other opened.
    """
    apart_seconds = abs(one.onset_at - other.onset_at)
    is_named = CauseKind.UNKNOWN is not one.kind and bool(one.component)
    is_sure = Confidence.LOW not in {one.confidence, other.confidence}
    is_one = (one.component, one.kind) == (other.component, other.kind)
    is_near = apart_seconds <= policy.merge_within_seconds
    if not (is_named and is_sure and is_one and is_near and _overlap(one, other)):
        return None
    cause = f"{one.component}: {one.kind.value}"
    return f"both name {cause} as their first cause, with onsets {apart_seconds:.0f} s apart"


def _overlap(one: Finding, other: Finding) -> bool:
    earlier, later = sorted((one, other), key=lambda each: (each.opened_at, each.incident_id))
    return earlier.resolved_at is None or earlier.resolved_at >= later.opened_at
