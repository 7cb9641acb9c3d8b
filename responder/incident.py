"""Episodes become incidents: records and pure functions, each decision with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pydantic

from responder.alert import Alert, Episode

WATCHDOG = "VigieWatchdog"
CRITICAL = 0
_RANKS = {"critical": CRITICAL, "warning": 1, "info": 2}
_NAMES = ("critical", "warning", "info")
_LONGEST_QUIET = 4


class IncidentState(StrEnum):
    """Where an incident stands."""

    WAITING = "waiting"
    INVESTIGATING = "investigating"
    REPORTED = "reported"
    CLOSED = "closed"


def severity_rank(severity: str) -> int:
    """Give the place of a severity, 0 the worst; one that is unknown counts as a warning."""
    return _RANKS.get(severity, 1)


def severity_name(rank: int) -> str:
    """Give the severity of a place, as `severity_rank` counts them."""
    return _NAMES[min(max(rank, 0), len(_NAMES) - 1)]


class Incident(pydantic.BaseModel):
    """One condition under investigation: its episodes, oldest first.

    `occurrence_of` is the incident whose report also speaks for this one.
    """

    model_config = pydantic.ConfigDict(frozen=True)

    id: str
    opened_at: float
    state: IncidentState
    reason: str
    episodes: tuple[Episode, ...]
    resolved_at: float | None = None
    occurrence_of: str | None = None

    @property
    def severity(self) -> str:
        """The worst severity among the episodes."""
        severities = [episode.alert.severity for episode in self.episodes]
        return min(severities, key=severity_rank, default="warning")

    @property
    def targets(self) -> tuple[str, ...]:
        """The juniors' targets that the episodes name, in order of first mention."""
        named = (episode.alert.target for episode in self.episodes)
        return tuple(dict.fromkeys(target for target in named if target))

    @property
    def alertnames(self) -> tuple[str, ...]:
        """The names of the alerts, in order of first mention."""
        return tuple(dict.fromkeys(episode.alert.name for episode in self.episodes))

    @property
    def lead(self) -> Episode:
        """The episode that speaks for the incident: the worst severity, then the oldest."""
        return min(
            self.episodes,
            key=lambda each: (severity_rank(each.alert.severity), each.alert.starts_at),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How episodes become incidents.

    `stale_within_seconds` is how long after a resolution a firing delivery with the same start
    may still be an old one that was under way.
    """

    join_within_seconds: float = 120
    quiet_seconds: float = 15
    occurrence_within_seconds: float = 3600
    stale_within_seconds: float = 60
    component_label: str = "service"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What placing an episode needs to know of an incident that is there already."""

    id: str
    opened_at: float
    joined_at: float
    state: IncidentState
    severity_rank: int
    alertnames: frozenset[str]
    is_resolved: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where an episode goes, and why: into `joins`, else a new one, perhaps an occurrence."""

    reason: str
    joins: str | None = None
    occurrence_of: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """When an investigation may begin, and how it ranks among those that may (0 first)."""

    priority: int
    due_at: float


def keys(alert: Alert, group_key: str, component_label: str) -> tuple[str, ...]:
    """Give what the alert can be correlated by: the first finds its incident, all find it later.

    Its target; else its component; else the group that Alertmanager put it into.
    """
    component = alert.labels.get(component_label)
    found = [f"target:{alert.target}"] if alert.target else []
    found += [f"component:{component}"] if component else []
    return tuple(found or [f"group:{group_key or alert.fingerprint}"])


def place(alert: Alert, at: float, known: Sequence[Known], policy: Policy) -> Placement:
    """Decide where a new episode goes among the incidents that share its first key."""
    for each in sorted(known, key=lambda one: one.joined_at, reverse=True):
        reason = _joins(alert, at, each, policy)
        if reason:
            return Placement(reason=reason, joins=each.id)
    for each in sorted(known, key=lambda one: one.joined_at, reverse=True):
        if _is_occurrence(alert, at, each, policy):
            horizon = f"{policy.occurrence_within_seconds:g} s"
            reason = f"occurrence of incident {each.id}: the same condition within {horizon}"
            return Placement(reason=reason, occurrence_of=each.id)
    return Placement(reason=_opening(alert, at, known, policy))


def _joins(alert: Alert, at: float, each: Known, policy: Policy) -> str:
    if each.is_resolved or each.state is IncidentState.CLOSED:
        return ""
    # A report that is out says nothing of what is new or worse, and nothing would follow from it.
    if each.state is IncidentState.REPORTED and not _is_covered(alert, each):
        return ""
    gap_seconds = at - each.joined_at
    if gap_seconds <= policy.join_within_seconds:
        return f"same target or component within {policy.join_within_seconds:g} s"
    if each.state is IncidentState.WAITING:
        return "same target or component, and the investigation has not begun"
    return ""


def _is_occurrence(alert: Alert, at: float, each: Known, policy: Policy) -> bool:
    is_recent = at - each.joined_at <= policy.occurrence_within_seconds
    # An occurrence is silent: what is critical must not fire under a last word of "resolved".
    is_harmless = not each.is_resolved or severity_rank(alert.severity) != CRITICAL
    is_examined = each.state is not IncidentState.CLOSED
    return is_recent and is_harmless and is_examined and _is_covered(alert, each)


def _is_covered(alert: Alert, each: Known) -> bool:
    """Tell whether the incident is about the same condition, and no less severe."""
    return alert.name in each.alertnames and severity_rank(alert.severity) >= each.severity_rank


def _opening(alert: Alert, at: float, known: Sequence[Known], policy: Policy) -> str:
    horizon_seconds = max(policy.join_within_seconds, policy.occurrence_within_seconds)
    recent = [
        each
        for each in known
        if at - each.joined_at <= horizon_seconds and each.state is not IncidentState.CLOSED
    ]
    if not recent:
        return "a condition not seen lately"
    last = max(recent, key=lambda one: one.joined_at)
    return f"{_news(alert, recent)}; it follows incident {last.id}"


def _news(alert: Alert, recent: Sequence[Known]) -> str:
    same = [each for each in recent if alert.name in each.alertnames]
    if not same:
        return "another alert on a target or component with a recent incident"
    if not any(_is_covered(alert, each) for each in same):
        return "a known condition with a higher severity"
    if severity_rank(alert.severity) == CRITICAL and all(each.is_resolved for each in same):
        return "a critical condition again after its resolution"
    return "a known condition again"


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


def turn(ranks: Iterable[int], *, opened_at: float, at: float, policy: Policy) -> Turn:
    """Decide when an incident whose episodes have these severity ranks is investigated.

    A critical one at once; others when it has been quiet, four times as long at the most.
    """
    worst = min(ranks, default=1)
    if worst == CRITICAL:
        return Turn(priority=worst, due_at=at)
    latest = opened_at + _LONGEST_QUIET * policy.quiet_seconds
    return Turn(priority=worst, due_at=min(at + policy.quiet_seconds, max(latest, at)))


class Motion(StrEnum):
    """What a delivered alert means for the episodes of its fingerprint."""

    BEGINS = "begins"
    CONTINUES = "continues"
    ENDS = "ends"
    BEGINS_ENDED = "begins_ended"
    REPEATS = "repeats"


def motion(
    alert: Alert, at: float, latest: Episode | None, ended_seen_at: float | None, policy: Policy
) -> Motion:
    """Decide what *alert* means, given the latest episode of its fingerprint.

    `ended_seen_at` is when its resolution reached us, None while it is open.
    """
    is_firing = alert.ends_at is None
    if latest is None:
        return Motion.BEGINS if is_firing else Motion.BEGINS_ENDED
    if latest.resolved_at is None:
        return Motion.CONTINUES if is_firing else Motion.ENDS
    if alert.starts_at > latest.resolved_at:
        return Motion.BEGINS if is_firing else Motion.BEGINS_ENDED
    if is_firing and at - (ended_seen_at or 0.0) > policy.stale_within_seconds:
        return Motion.BEGINS
    return Motion.REPEATS
