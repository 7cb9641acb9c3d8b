"""Causes that a cluster's own account tells: killed for memory, crashed, rolled out, not startable.

Kubernetes keeps only the last ending of a container, and counts restarts since the pod began, so
that each rule asks when a thing happened before it asks how often.
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.cluster_evidence import EVENTS, ORIGIN, PODS, ROLLOUTS
from responder.investigation.evidence import CauseKind, Evidence, Point, Quantity
from responder.investigation.hypothesis import Hypothesis
from responder.investigation.picture import CHANGE_LEAST_SECONDS, CHANGE_SAMPLES, Picture
from responder.investigation.wording import clock, span

SOON_SAMPLES = 10
# Ended by a signal from outside: SIGKILL and SIGTERM, as 128 and the signal's number.
_SIGNALLED = frozenset({"137", "143"})
_LOOPING = "CrashLoopBackOff"
# Reasons why a container cannot start, as the kubelet names them.
_UNSTARTABLE = {
    "ImagePullBackOff": CauseKind.BAD_ROLLOUT,
    "ErrImagePull": CauseKind.BAD_ROLLOUT,
    "InvalidImageName": CauseKind.BAD_ROLLOUT,
    "CreateContainerConfigError": CauseKind.CONFIGURATION,
    "CreateContainerError": CauseKind.CONFIGURATION,
}


def told(picture: Picture) -> frozenset[str]:
    """Return the components that a cluster speaks of."""
    found = (each.component for each in picture.evidence if each.facts.get("origin") == ORIGIN)
    return frozenset(each for each in found if each)


def _about(picture: Picture, component: str, what: str) -> list[Evidence]:
    found = picture.evidence_of(component, ORIGIN)
    return [each for each in found if each.facts.get("about") == what]


def endings(picture: Picture, component: str) -> Iterator[Hypothesis]:
    """Judge how containers of it ended around the onset: for want of memory, or otherwise."""
    for evidence in _about(picture, component, PODS):
        ended = [
            q for q in evidence.quantities if q.name == "terminated at" and _is_near(picture, q)
        ]
        killed = [each for each in ended if each.labels.get("reason") == "OOMKilled"]
        if killed:
            yield _ended(picture, evidence, killed, CauseKind.OUT_OF_MEMORY, 0.95)
        crashed = [each for each in ended if each not in killed and _is_crash(each)]
        if crashed:
            from_outside = all(each.labels.get("exit_code") in _SIGNALLED for each in crashed)
            strength = 0.7 if from_outside else 0.85
            yield _ended(picture, evidence, crashed, CauseKind.CRASH, strength)


def _is_near(picture: Picture, quantity: Quantity) -> bool:
    """Say whether something happened no earlier than could have begun the incident."""
    slack = SOON_SAMPLES * picture.step + picture.onset.uncertainty_seconds
    return quantity.value >= picture.onset.at - slack


def _is_crash(quantity: Quantity) -> bool:
    return quantity.labels.get("exit_code") != "0"


def _ended(
    picture: Picture,
    evidence: Evidence,
    ended: list[Quantity],
    kind: CauseKind,
    strength: float,
) -> Hypothesis:
    component = evidence.component or ""
    first = min(ended, key=lambda each: each.value)
    labels = first.labels
    text = (
        f"{component}: container {labels.get('container')} of {labels.get('pod')} ended with "
        f"{labels.get('reason')} (exit code {labels.get('exit_code')}) at {clock(first.value)}"
    )
    points = [Point(text=text, evidence=(evidence.id,))]
    looping = [q for q in evidence.quantities if q.labels.get("reason") == _LOOPING]
    if looping:
        text = f"{component}: {looping[0].labels.get('pod')} waits with {_LOOPING}"
        points.append(Point(text=text, evidence=(evidence.id,)))
    since = _looping_since(picture, component)
    if since is not None and since < picture.onset.at - _reach(picture):
        strength *= 0.4  # it did so long before, when nobody was harmed
    if any(True for _ in rolled(picture, component)):
        strength *= 0.8  # what was rolled out is the better name for it
    return Hypothesis(
        component=component,
        kind=kind,
        strength=strength,
        points=tuple(points),
        moved_at=first.value if since is None else min(since, first.value),
        local=True,
    )


def _looping_since(picture: Picture, component: str) -> float | None:
    """Return when containers of it were first held back after a crash, as the events have it."""
    times = [
        quantity.value
        for evidence in _about(picture, component, EVENTS)
        for quantity in evidence.quantities
        if quantity.name == "first at" and quantity.labels.get("reason") == "BackOff"
    ]
    return min(times, default=None)


def unstartable(picture: Picture, component: str) -> Iterator[Hypothesis]:
    """Judge whether a container of it cannot be started at all since about the onset."""
    for evidence in _about(picture, component, PODS):
        for quantity in evidence.quantities:
            kind = _UNSTARTABLE.get(quantity.labels.get("reason", ""))
            if quantity.name != "waiting since" or kind is None or not _is_near(picture, quantity):
                continue
            text = (
                f"{component}: {quantity.labels.get('pod')} cannot start, "
                f"{quantity.labels.get('reason')} since {clock(quantity.value)}"
            )
            yield Hypothesis(
                component=component,
                kind=kind,
                strength=0.8,
                points=(Point(text=text, evidence=(evidence.id,)),),
                moved_at=quantity.value,
                local=True,
            )


def _reach(picture: Picture) -> float:
    return max(CHANGE_SAMPLES * picture.step, CHANGE_LEAST_SECONDS)


def rolled(picture: Picture, component: str) -> Iterator[tuple[Quantity, Evidence]]:
    """Yield the rollouts of it that came shortly before the onset."""
    slack = 3 * picture.step + picture.onset.uncertainty_seconds
    for evidence in _about(picture, component, ROLLOUTS):
        for quantity in evidence.quantities:
            gap = picture.onset.at - quantity.value
            if quantity.name == "changed at" and -slack <= gap <= _reach(picture):
                yield quantity, evidence


def rollout(picture: Picture, component: str) -> Iterator[Hypothesis]:
    """Judge whether a revision of it was rolled out shortly before the onset, announced or not."""
    for quantity, evidence in rolled(picture, component):
        labels = quantity.labels
        gap = picture.onset.at - quantity.value
        text = (
            f"{component}: deployment {labels.get('deployment')} was rolled out, "
            f"revision {labels.get('revision')}, at {clock(quantity.value)}"
        )
        if gap >= 0:
            text += f", {span(gap)} before the onset"
        yield Hypothesis(
            component=component,
            kind=CauseKind.BAD_ROLLOUT,
            strength=0.93 * (1 - 0.5 * max(gap, 0.0) / _reach(picture)),
            points=(Point(text=text, evidence=(evidence.id, picture.onset_evidence)),),
            moved_at=quantity.value,
            local=True,
        )
