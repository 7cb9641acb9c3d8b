"""What fired becomes the incidents that it would have been, by the rules of the live responder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from responder.absence import Span, fingerprint
from responder.alert import Alert, AlertStatus, Episode
from responder.incident import (
    WATCHDOG,
    Incident,
    IncidentState,
    Known,
    Policy,
    keys,
    place,
    severity_rank,
    turn,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """One incident of the past, and when its investigation would have begun."""

    incident: Incident
    investigated_at: float


@dataclass(kw_only=True, slots=True)
class _Story:
    """An incident as it grows: its spans as episodes, by what they are correlated."""

    id: str
    reason: str
    keys: set[str] = field(default_factory=set)
    episodes: list[Episode] = field(default_factory=list)
    ends_at: float = 0.0
    occurrence_of: str | None = None
    flaps: int = 0
    recurs: bool = False

    @property
    def opened_at(self) -> float:
        return self.episodes[0].alert.starts_at

    def due_at(self, policy: Policy) -> float:
        """When it was quiet for long enough: what joins later would find it under way."""
        ranks: list[int] = []
        due = self.opened_at
        for each in self.episodes:
            at = each.alert.starts_at
            if ranks and at > due:
                break
            ranks.append(severity_rank(each.alert.severity))
            due = turn(ranks, opened_at=self.opened_at, at=at, policy=policy).due_at
        return due

    def known(self, at: float, policy: Policy) -> Known:
        """Give what placing another episode at a time needs of it."""
        alerts = [each.alert for each in self.episodes]
        is_reported = at > self.due_at(policy)
        return Known(
            id=self.id,
            opened_at=self.opened_at,
            joined_at=alerts[-1].starts_at,
            state=IncidentState.REPORTED if is_reported else IncidentState.WAITING,
            severity_rank=min(severity_rank(each.severity) for each in alerts),
            alertnames=frozenset(each.name for each in alerts),
            is_resolved=self.ends_at <= at,
            targets=frozenset(each.target for each in alerts if each.target),
            occurrence_of=self.occurrence_of,
            flaps=self.flaps,
            recurs=self.recurs,
        )

    def past(self, policy: Policy) -> Past:
        """Give the incident as it was when its investigation began."""
        due = self.due_at(policy)
        there = tuple(each for each in self.episodes if each.alert.starts_at <= due)
        incident = Incident(
            id=self.id,
            opened_at=self.opened_at,
            state=IncidentState.INVESTIGATING,
            reason=self.reason,
            episodes=there,
        )
        return Past(incident=incident, investigated_at=due)


def incidents(spans: Sequence[Span], policy: Policy) -> tuple[Past, ...]:
    """Give what would have been investigated, oldest first; occurrences stand for themselves not.

    What an Alertmanager would have grouped or silenced is not known: each span is its own post.
    """
    stories: list[_Story] = []
    for span in sorted(spans, key=lambda each: (each.starts_at, sorted(each.labels.items()))):
        if span.labels.get("alertname") != WATCHDOG:
            _take(span, stories, policy)
    return tuple(each.past(policy) for each in stories if each.occurrence_of is None)


def _take(span: Span, stories: list[_Story], policy: Policy) -> None:
    alert = _alert(span.labels, span.starts_at)
    mine = frozenset(keys(alert, "", policy.component_label, policy.components))
    horizon = span.starts_at - policy.horizon_seconds
    near = [each for each in stories if mine & each.keys and each.ends_at >= horizon]
    known = [each.known(span.starts_at, policy) for each in near]
    placement = place(alert, span.starts_at, known, policy)
    story = next((each for each in near if each.id == placement.joins), None)
    if story is None:
        story = _Story(
            id=_name(span),
            reason=placement.reason,
            occurrence_of=placement.occurrence_of,
            recurs=placement.recurs,
        )
        stories.append(story)
    story.flaps += placement.flaps
    story.keys |= mine
    story.ends_at = max(story.ends_at, span.ends_at)
    story.episodes.append(
        Episode(id=f"{story.id}-{len(story.episodes)}", alert=alert, first_seen_at=span.starts_at)
    )


def _alert(labels: Mapping[str, str], starts_at: float) -> Alert:
    return Alert(
        fingerprint=fingerprint(labels),
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={},
        starts_at=starts_at,
        ends_at=None,
    )


def _name(span: Span) -> str:
    said = f"{fingerprint(span.labels)} {span.starts_at:.3f}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]
