"""Episodes become incidents: records and pure functions, each decision with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import pydantic

from responder.alert import Alert, Episode, indexed

WATCHDOG = "VigieWatchdog"
CRITICAL = 0
_RANKS = {"critical": CRITICAL, "warning": 1, "info": 2}
_NAMES = ("critical", "warning", "info")
_LONGEST_QUIET = 4
# Where a junior was scraped says nothing of the endpoint that it asks.
_SCRAPE_LABELS = frozenset({"job", "instance", "pod", "namespace", "service"})


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

    `occurrence_of` is the incident whose report also speaks for this one, `merged_into` the one
    that this turned out to be; `flaps` counts how often it was over and fired again at once.
    """

    model_config = pydantic.ConfigDict(frozen=True)

    id: str
    opened_at: float
    state: IncidentState
    reason: str
    episodes: tuple[Episode, ...]
    resolved_at: float | None = None
    occurrence_of: str | None = None
    merged_into: str | None = None
    flaps: int = 0

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
    may still be an old one that was under way. The same condition is investigated once more when
    it has come back `recurrences_limit` times within `occurrence_within_seconds`, and flaps when
    it fires `flaps_limit` times within `flap_within_seconds`; an incident takes in `flaps_most` of
    those, for `flap_longest_seconds`. `components` names the component behind each target, as the
    juniors say it.
    """

    join_within_seconds: float = 120
    quiet_seconds: float = 15
    occurrence_within_seconds: float = 3600
    stale_within_seconds: float = 60
    component_label: str = "service"
    recurrences_limit: int = 3
    flaps_limit: int = 3
    flap_within_seconds: float = 900
    flaps_most: int = 1000
    flap_longest_seconds: float = 86_400
    merge_within_seconds: float = 300
    components: Mapping[str, str] = field(default_factory=dict)

    @property
    def horizon_seconds(self) -> float:
        """How far back incidents bear on where an episode goes."""
        return max(
            self.join_within_seconds, self.occurrence_within_seconds, self.flap_within_seconds
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What placing an episode needs to know of an incident that is there already.

    `alertnames` and `targets` are its own and those of what was merged into it; `recurs` says
    that it was opened because its condition came back too often.
    """

    id: str
    opened_at: float
    joined_at: float
    state: IncidentState
    severity_rank: int
    alertnames: frozenset[str]
    is_resolved: bool
    targets: frozenset[str] = frozenset()
    occurrence_of: str | None = None
    merged_into: str | None = None
    flaps: int = 0
    recurs: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where an episode goes, and why: into `joins`, else a new one, perhaps an occurrence.

    `is_told`: it joins what was reported, and people should hear of it. `flaps`: it fires again
    soon after its end. `recurs`: the new incident is opened because it came back too often.
    """

    reason: str
    joins: str | None = None
    occurrence_of: str | None = None
    is_told: bool = False
    flaps: bool = False
    recurs: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """When an investigation may begin, and how it ranks among those that may (0 first)."""

    priority: int
    due_at: float


def keys(
    alert: Alert, group_key: str, component_label: str, components: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Give what the alert is correlated by: its target and component, else Alertmanager's group.

    What a target's component is, *components* says; the labels of a junior's own scrape do not.
    """
    component = _component(alert, component_label, components or {})
    found = [f"target:{alert.target}"] if alert.target else []
    found += [f"component:{indexed(component)}"] if component else []
    return tuple(found or [f"group:{indexed(group_key or alert.fingerprint)}"])


def _component(alert: Alert, label: str, components: Mapping[str, str]) -> str | None:
    if alert.target is None:
        return alert.labels.get(label) or None
    own = None if label in _SCRAPE_LABELS else alert.labels.get(label)
    return alert.labels.get(f"label_{label}") or own or components.get(alert.target)


def place(
    alert: Alert,
    at: float,
    known: Sequence[Known],
    policy: Policy,
    *,
    was_in: str | None = None,
) -> Placement:
    """Decide where a new episode goes among the incidents that share any of its keys.

    *was_in* is the incident of the fingerprint's episode before: back there, it is no news.
    """
    apt = [each for each in known if _is_apt(alert, each)]
    if len(apt) > 1:
        apt.sort(key=lambda one: (one.joined_at, one.opened_at, one.id), reverse=True)
    for decide in (_join, _flap, _join_occurrence, _recur):
        placement = decide(alert, at, apt, policy)
        if placement is not None and placement.joins == was_in and not placement.flaps:
            return replace(placement, is_told=False)
        if placement is not None:
            return placement
    return Placement(reason=_opening(alert, at, apt, policy))


def _is_apt(alert: Alert, each: Known) -> bool:
    """Tell whether the incident can be about what the alert is about.

    Two targets of one component are two incidents until their reports say that they are one.
    """
    is_theirs = not alert.target or not each.targets or alert.target in each.targets
    return is_theirs and each.merged_into is None


def _join(alert: Alert, at: float, apt: Sequence[Known], policy: Policy) -> Placement | None:
    for each in apt:
        reason = _joins(alert, at, each, policy)
        if reason:
            # A warning more is on the page; that a critical condition spreads is worth a message.
            is_told = each.state is IncidentState.REPORTED and _is_critical(alert)
            return Placement(reason=reason, joins=each.id, is_told=is_told and _fires(alert))
    return None


def _joins(alert: Alert, at: float, each: Known, policy: Policy) -> str:
    is_same, gap_seconds = _is_covered(alert, each), at - each.joined_at
    if each.state is IncidentState.INVESTIGATING and is_same:
        return f"the same condition{' again' if each.is_resolved else ''} while it is investigated"
    # A report that is out says nothing of what is new or worse, and nothing would follow from it.
    is_deaf = each.state is IncidentState.REPORTED and not is_same
    if each.is_resolved or each.state is IncidentState.CLOSED or is_deaf:
        return ""
    if gap_seconds <= policy.join_within_seconds:
        return f"same target or component within {policy.join_within_seconds:g} s"
    if each.state is IncidentState.WAITING:
        return "same target or component, and the investigation has not begun"
    if is_same and gap_seconds <= policy.occurrence_within_seconds:
        return "the same condition while the incident lasts"
    return ""


def _flap(alert: Alert, at: float, apt: Sequence[Known], policy: Policy) -> Placement | None:
    """Put what fires again and again into the incident that was reported last of it."""
    lately = [
        each
        for each in apt
        if each.is_resolved
        and alert.name in each.alertnames
        and at - each.joined_at <= policy.flap_within_seconds
    ]
    reported = next((each for each in lately if _is_reported(alert, at, each, policy)), None)
    fired = 1 + sum(1 + each.flaps for each in lately)
    if reported is None or fired < policy.flaps_limit:
        return None
    reason = f"flaps: fired {fired} times within {_span(policy.flap_within_seconds)}"
    is_told = reported.flaps == 0 and _fires(alert)
    return Placement(reason=reason, joins=reported.id, flaps=True, is_told=is_told)


def _join_occurrence(
    alert: Alert, at: float, apt: Sequence[Known], policy: Policy
) -> Placement | None:
    examined = {each.id for each in apt if _is_occurrence(alert, at, each, policy)}
    for each in apt:
        if each.occurrence_of in examined and not each.is_resolved:
            reason = f"the same condition while this occurrence of {each.occurrence_of} lasts"
            return Placement(reason=reason, joins=each.id)
    return None


def _recur(alert: Alert, at: float, apt: Sequence[Known], policy: Policy) -> Placement | None:
    """Count what came back: an occurrence, until it is one too many."""
    for each in apt:
        if not _is_occurrence(alert, at, each, policy):
            continue
        times = 1 + sum(one.occurrence_of == each.id for one in apt)
        horizon = _span(policy.occurrence_within_seconds)
        # The incident that this opens speaks for all that follow within the horizon.
        if times >= policy.recurrences_limit and not each.recurs:
            reason = f"recurs: {times} times in {horizon} since incident {each.id}"
            return Placement(reason=reason, recurs=True)
        reason = f"occurrence of incident {each.id}: the same condition within {horizon}"
        return Placement(reason=reason, occurrence_of=each.id)
    return None


def _is_occurrence(alert: Alert, at: float, each: Known, policy: Policy) -> bool:
    is_recent = at - each.joined_at <= policy.occurrence_within_seconds
    # An occurrence is silent: what is critical must not fire under a last word of "resolved".
    return is_recent and not _is_critical(alert) and _is_reported(alert, at, each, policy)


def _is_reported(alert: Alert, at: float, each: Known, policy: Policy) -> bool:
    is_over = each.state is IncidentState.REPORTED and each.is_resolved
    return is_over and _is_covered(alert, each) and not _is_worn(at, each, policy)


def _is_worn(at: float, each: Known, policy: Policy) -> bool:
    """Tell whether it has flapped for so long that its report says nothing of now."""
    is_old = each.flaps > 0 and at - each.opened_at > policy.flap_longest_seconds
    return is_old or each.flaps >= policy.flaps_most


def _is_covered(alert: Alert, each: Known) -> bool:
    """Tell whether the incident is about the same condition, and no less severe."""
    return alert.name in each.alertnames and severity_rank(alert.severity) >= each.severity_rank


def _is_critical(alert: Alert) -> bool:
    return severity_rank(alert.severity) == CRITICAL


def _fires(alert: Alert) -> bool:
    return alert.ends_at is None


def _span(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _opening(alert: Alert, at: float, apt: Sequence[Known], policy: Policy) -> str:
    recent = [
        each
        for each in apt
        if at - each.joined_at <= policy.horizon_seconds and each.state is not IncidentState.CLOSED
    ]
    if not recent:
        return "a condition not seen lately"
    is_worn = alert.name in recent[0].alertnames and _is_worn(at, recent[0], policy)
    news = "has flapped for too long: looked at anew" if is_worn else _news(alert, recent)
    return f"{news}; it follows incident {recent[0].id}"


def _news(alert: Alert, recent: Sequence[Known]) -> str:
    same = [each for each in recent if alert.name in each.alertnames]
    if not same:
        return "another alert on a target or component with a recent incident"
    if not any(_is_covered(alert, each) for each in same):
        return "a known condition with a higher severity"
    if _is_critical(alert) and all(each.is_resolved for each in same):
        return "a critical condition again after its resolution"
    return "a known condition again"


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
    # By a clock that runs ahead of ours, an alert may have ended before it began.
    if alert.starts_at > max(latest.resolved_at, latest.alert.starts_at):
        return Motion.BEGINS if is_firing else Motion.BEGINS_ENDED
    if is_firing and at - (ended_seen_at or 0.0) > policy.stale_within_seconds:
        return Motion.BEGINS
    return Motion.REPEATS
