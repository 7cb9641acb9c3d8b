"""All that is known of one incident, put where the rules can look it up."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from responder.alert import Change
from responder.incident import Incident
from responder.investigation.calls import seen_calls
from responder.investigation.evidence import Evidence, Frame, Status
from responder.investigation.movement import Movement, movements
from responder.investigation.onset import Onset, find
from responder.investigation.suspects import Levels, levels, reachable
from responder.investigation.vocabulary import Role
from responder.source import Topology

GUARD_SAMPLES = 8
# How far before the onset a change may lie to be suspected, in scrape intervals; nothing shorter
# than the second figure, in seconds, so that very frequent scrapes do not make it blind.
CHANGE_SAMPLES = 40
CHANGE_LEAST_SECONDS = 10.0
SOON_SAMPLES = 3
_DEFAULT_STEP_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Junior:
    """What the junior of one target last saw: state, reasons of its failures, and its words."""

    target: str
    component: str
    evidence: str
    state: str = ""
    kind: str = ""
    reasons: Mapping[str, int] = field(default_factory=dict)
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One incident as the rules see it; times in seconds since the epoch."""

    incident: Incident
    symptom: str
    onset: Onset
    step: float
    evidence: tuple[Evidence, ...]
    movements: tuple[Movement, ...]
    juniors: tuple[Junior, ...]
    changes: tuple[tuple[Change, str], ...]
    calls: tuple[tuple[str, str], ...]
    frame: Frame | None = None
    levels: Levels | None = None

    def of(self, component: str, *roles: Role) -> list[Movement]:
        """Return a component's movements in these roles, the most harmful first."""
        found = [each for each in self.movements if each.component == component]
        if roles:
            found = [each for each in found if each.role in roles]
        return sorted(found, key=lambda each: (-each.harm, -abs(each.deviation), each.index))

    @property
    def components(self) -> tuple[str, ...]:
        """Every component that is known of, sorted."""
        native = {each.component for each in self.movements}
        known = {each for call in self.calls for each in call} | {self.symptom}
        return tuple(sorted((native | known | {each.component for each in self.juniors}) - {""}))

    def callees(self, component: str) -> frozenset[str]:
        """Return all that a component calls, directly or not, without itself."""
        return reachable(component, self.calls) - {component}

    def callers(self, component: str) -> frozenset[str]:
        """Return all that call a component, directly or not, without itself."""
        turned = tuple((callee, caller) for caller, callee in self.calls)
        return reachable(component, turned) - {component}

    @property
    def junior(self) -> Junior | None:
        """The junior of the incident's own target."""
        named = self.incident.targets
        return next((each for each in self.juniors if each.target in named), None)

    @property
    def alert(self) -> Evidence:
        """The evidence that is the alert itself."""
        return self.evidence[0]

    @property
    def onset_evidence(self) -> str:
        """The id of the evidence that holds the onset, the alert's before there is one."""
        return next((e.id for e in self.evidence if e.source == "onset"), self.alert.id)

    def evidence_of(self, component: str, source: str) -> list[Evidence]:
        """Return the answered evidence of one source about a component."""
        return [
            each
            for each in self.evidence
            if each.component == component
            and each.facts.get("origin") == source
            and each.status is Status.OK
        ]


def picture(
    incident: Incident,
    evidence: Sequence[Evidence],
    frame: Frame | None,
    changes: Sequence[Change],
    topology: Topology,
) -> Picture:
    """Put one together; pure."""
    symptom = symptom_of(incident, evidence, topology)
    fired = min(episode.alert.starts_at for episode in incident.episodes)
    step = step_of(frame)
    own = own_columns(frame, incident)
    onset = find(own, fired, _probe_interval(incident, evidence))
    found: Levels | None = None
    moved: tuple[Movement, ...] = ()
    if frame is not None and len(frame.labels):
        found = levels(frame, onset.at, GUARD_SAMPLES * step)
        moved = movements(frame, found, onset.at)
    since = onset.at - GUARD_SAMPLES * step - onset.uncertainty_seconds
    juniors = [_junior(each, since) for each in evidence if _is_junior(each)]
    if not any(each.target in incident.targets for each in juniors):
        juniors += _from_series(incident, symptom, moved)
    known = {each.component for each in moved} | {each.component for each in juniors} | {symptom}
    known |= {each for call in topology.calls for each in call}
    return Picture(
        incident=incident,
        symptom=symptom,
        onset=onset,
        step=step,
        evidence=tuple(evidence),
        movements=moved,
        juniors=tuple(juniors),
        changes=tuple(_told(changes, evidence)),
        calls=seen_calls(topology.calls, evidence, moved, known),
        frame=frame,
        levels=found,
    )


def step_of(frame: Frame | None) -> float:
    """Return the distance of a frame's samples in seconds."""
    if frame is None or len(frame.times) < 2:
        return _DEFAULT_STEP_SECONDS
    return float(frame.times[-1] - frame.times[0]) / (len(frame.times) - 1)


def own_columns(frame: Frame | None, incident: Incident) -> Frame | None:
    """Keep the columns that are the incident's own symptom: its alert's, its target's."""
    if frame is None:
        return None
    targets = incident.targets
    kept = [
        index
        for index, labels in enumerate(frame.labels)
        if labels.get("__origin__") in {"alert", "junior"}
        and (not labels.get("target") or labels["target"] in targets)
    ]
    if not kept:
        return None
    return Frame(
        times=frame.times,
        values=frame.values[:, kept],
        labels=tuple(frame.labels[index] for index in kept),
    )


def _probe_interval(incident: Incident, evidence: Iterable[Evidence]) -> float:
    for each in evidence:
        if _is_junior(each) and each.facts.get("target") in incident.targets:
            for quantity in each.quantities:
                if quantity.name == "interval":
                    return quantity.value
    return 0.0


def _is_junior(evidence: Evidence) -> bool:
    return (
        evidence.source == "exporter"
        and evidence.status is Status.OK
        and ("target" in evidence.facts)
    )


def _junior(evidence: Evidence, since: float) -> Junior:
    """Read what a junior saw; failures from before the incident are another story."""
    facts = evidence.facts
    reasons: Counter[str] = Counter()
    texts: list[str] = []
    for quantity in evidence.quantities:
        if quantity.name.startswith("failure ") and quantity.value >= since:
            reasons[facts.get(f"{quantity.name} reason", "")] += 1
            parts = ("detail", "excerpt")
            texts += [facts[k] for part in parts if (k := f"{quantity.name} {part}") in facts]
    return Junior(
        target=facts["target"],
        component=evidence.component or facts["target"],
        evidence=evidence.id,
        state=facts.get("state", ""),
        kind=facts.get("kind", ""),
        reasons=dict(reasons),
        texts=tuple(texts),
    )


def _from_series(incident: Incident, symptom: str, moved: Iterable[Movement]) -> Iterable[Junior]:
    """Tell what the junior saw from its series, where the exporter itself gave no answer."""
    target = next(iter(incident.targets), None)
    own = [each for each in moved if target and each.labels.get("target") == target]
    states = [each for each in own if each.role is Role.PROBE_STATE and each.now > 0]
    reasons = {
        each.labels["reason"]: 1
        for each in own
        if each.role is Role.PROBE_FAILURES and each.labels.get("reason") and each.since > 0
    }
    if target and (states or reasons):
        state = max(states, key=lambda each: each.share_since, default=None)
        yield Junior(
            target=target,
            component=symptom,
            evidence=state.evidence if state else "",
            state=state.labels.get("state", "") if state else "",
            reasons=reasons,
        )


def symptom_of(incident: Incident, evidence: Iterable[Evidence], topology: Topology) -> str:
    """Return the component that the leading alert speaks of: the junior knows it, or its labels."""
    lead = incident.lead.alert
    target = lead.target or next(iter(incident.targets), "")
    for each in evidence:
        if _is_junior(each) and each.facts.get("target") == target and each.component:
            return each.component
    for each in evidence:
        if each.facts.get("origin") in {"alert", "junior"} and each.component:
            return each.component
    known = {each for call in topology.calls for each in call}
    label = lead.labels.get(topology.component_label, "")
    if label and (not target or label in known):
        return label
    return target or label or lead.labels.get("job") or lead.name or "unknown"


def _told(changes: Sequence[Change], evidence: Iterable[Evidence]) -> Iterable[tuple[Change, str]]:
    ids = {each.facts.get("change", ""): each.id for each in evidence if each.source == "changes"}
    for change in sorted(changes, key=lambda each: (each.at, each.id)):
        if change.id in ids:
            yield change, ids[change.id]


def strongest(found: Iterable[Movement], fits: Callable[[Movement], bool]) -> Movement | None:
    """Return the first movement that fits."""
    return next((each for each in found if fits(each)), None)


def by_component(found: Iterable[Movement]) -> dict[str, list[Movement]]:
    """Sort movements by component."""
    groups: dict[str, list[Movement]] = defaultdict(list)
    for each in found:
        groups[each.component].append(each)
    return dict(groups)


def finite(value: float, otherwise: float) -> float:
    """Return *value* where it is a number."""
    return value if math.isfinite(value) else otherwise
