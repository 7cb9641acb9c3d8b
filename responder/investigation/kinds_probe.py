"""Causes that the alert, its junior and announced changes tell."""

from __future__ import annotations

import re
from collections.abc import Iterable

from responder.alert import Change
from responder.investigation.evidence import CauseKind, Point
from responder.investigation.hypothesis import Hypothesis, moved
from responder.investigation.kinds_native import (
    down,
    failing,
    restarted,
    slow,
    stalled,
)
from responder.investigation.kinds_unread import answer_to_scrape
from responder.investigation.picture import (
    CHANGE_LEAST_SECONDS,
    CHANGE_SAMPLES,
    Junior,
    Picture,
    strongest,
)
from responder.investigation.vocabulary import Role
from responder.investigation.wording import clock, date, span

CERTIFICATE_DAYS = 30
_CERTIFICATE = re.compile(r"(?i)certificate|cert_?expir|tls_cert|ssl_cert|x509")
_ONLY_ITSELF = "vigie"

# What a junior's reason says by itself, and how much: the target is where it was seen, so most of
# these can also be the doing of something in front of it or behind it.
_REASONS: dict[str, tuple[CauseKind, float]] = {
    "stream_error": (CauseKind.INTERNAL_ERROR, 0.88),
    "stream_truncated": (CauseKind.INTERNAL_ERROR, 0.7),
    "http_5xx": (CauseKind.INTERNAL_ERROR, 0.8),
    "protocol": (CauseKind.INTERNAL_ERROR, 0.6),
    "bad_json": (CauseKind.INTERNAL_ERROR, 0.65),
    "too_large": (CauseKind.INTERNAL_ERROR, 0.4),
    "wrong_answer": (CauseKind.MODEL_REGRESSION, 0.9),
    "empty": (CauseKind.MODEL_REGRESSION, 0.7),
    "cut_off": (CauseKind.MODEL_REGRESSION, 0.6),
    "schema": (CauseKind.MODEL_REGRESSION, 0.7),
    "rate_limited": (CauseKind.RATE_LIMIT, 0.85),
    "dns": (CauseKind.NETWORK, 0.8),
    "timeout_connect": (CauseKind.NETWORK, 0.7),
    "connect": (CauseKind.CRASH, 0.7),
    "tls": (CauseKind.CERTIFICATE, 0.75),
    "auth": (CauseKind.CONFIGURATION, 0.75),
    "forbidden": (CauseKind.CONFIGURATION, 0.75),
    "redirect": (CauseKind.CONFIGURATION, 0.7),
    "http_4xx": (CauseKind.CONFIGURATION, 0.7),
    "internal": (CauseKind.MONITORING, 0.5),
}
_STATES: dict[str, tuple[CauseKind, float]] = {
    "hung": (CauseKind.HUNG_ENGINE, 0.8),
    "saturated": (CauseKind.CAPACITY, 0.45),
    "unresponsive": (CauseKind.HUNG_ENGINE, 0.4),
    "wrong": (CauseKind.MODEL_REGRESSION, 0.9),
    "degraded": (CauseKind.SLOW_ENGINE, 0.4),
    "down": (CauseKind.CRASH, 0.3),
}


def certificate(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether the alert is about a certificate's end, or the junior could not verify it."""
    if component != picture.symptom:
        return None
    ends = strongest(
        picture.of(component, Role.CERTIFICATE_END),
        lambda m: m.now - _now(picture) < CERTIFICATE_DAYS * 86_400,
    )
    if not _about_certificate(picture):
        return None
    lead = picture.incident.lead.alert
    points = [Point(text=f"{lead.name} speaks of a certificate", evidence=(picture.alert.id,))]
    if ends is not None:
        left = ends.now - _now(picture)
        text = f"the certificate that {component} serves ends on {date(ends.now)} UTC"
        if abs(ends.before - ends.now) > 86_400:
            text += f", was {date(ends.before)} UTC"
        text += f", {span(left)} from now" if left > 0 else ", in the past"
        points.insert(0, Point(text=text, evidence=(ends.evidence, picture.alert.id)))
    return Hypothesis(
        component=component,
        kind=CauseKind.CERTIFICATE,
        strength=0.97 if ends is not None else 0.8,
        points=tuple(points),
        moved_at=ends.moved_at if ends is not None else None,
        local=True,
    )


def _now(picture: Picture) -> float:
    return picture.alert.window.end


def _about_certificate(picture: Picture) -> bool:
    rules = [e.facts.get("expression", "") for e in picture.evidence if e.source == "prometheus"]
    return any(_CERTIFICATE.search(text) for text in (picture.incident.lead.alert.name, *rules))


def state(picture: Picture, component: str) -> Hypothesis | None:
    """Read what the junior's state says, or the alert's own labels where the junior is silent."""
    if component != picture.symptom:
        return None
    junior = picture.junior
    labelled = picture.incident.lead.alert.labels.get("state", "")
    seen = junior.state if junior is not None and junior.state in _STATES else labelled
    if seen not in _STATES:
        return None
    kind, strength = _STATES[seen]
    text = f"the alert says that {component} is {seen}"
    evidence = picture.alert.id
    if junior is not None and junior.state == seen and junior.evidence:
        text, evidence = f"the junior sees {junior.target} as {seen}", junior.evidence
    else:
        strength *= 0.9
    return Hypothesis(
        component=component,
        kind=kind,
        strength=strength * _doubt(picture, component, kind),
        points=(Point(text=text, evidence=(evidence,)),),
    )


def _doubt(picture: Picture, component: str, kind: CauseKind) -> float:
    """Return what the component's own series leave of what was seen from outside."""
    tokens = picture.of(component, Role.TOKENS)
    alive = bool(picture.of(component, Role.UP)) and not down(picture, component)
    alive = alive or answer_to_scrape(picture, component) is not None
    if kind is CauseKind.HUNG_ENGINE and tokens and stalled(picture, component) is None:
        return 0.4
    if kind is CauseKind.CRASH and alive:
        return 0.3
    if kind is CauseKind.SLOW_ENGINE and not slow(picture, component):
        return 0.8
    return 1.0


def reasons(picture: Picture, component: str) -> Iterable[Hypothesis]:
    """Read what each reason of the junior's failures says."""
    junior = picture.junior
    if component != picture.symptom or junior is None:
        return
    for reason, _ in sorted(junior.reasons.items(), key=lambda pair: (-pair[1], pair[0])):
        if reason in _REASONS:
            yield _reason(picture, junior, reason)


def _reason(picture: Picture, junior: Junior, reason: str) -> Hypothesis:
    kind, strength = _REASONS[reason]
    component = picture.symptom
    if reason == "http_5xx" and _answers_well(picture, component):
        strength = 0.4  # the server's own counters show no errors: something in front of it fails
    if reason == "connect" and not down(picture, component) and picture.of(component, Role.UP):
        kind, strength = CauseKind.NETWORK, 0.5
    points = [
        Point(
            text=f"runs of the junior on {junior.target} fail with reason {reason}",
            evidence=(junior.evidence,),
        )
    ]
    share = failing(picture, component)
    if share is not None and kind is CauseKind.INTERNAL_ERROR:
        points.append(moved(share))
    return Hypothesis(component=component, kind=kind, strength=strength, points=tuple(points))


def _answers_well(picture: Picture, component: str) -> bool:
    ratios = picture.of(component, Role.ERROR_RATIO)
    return bool(ratios) and failing(picture, component) is None


def rollout(picture: Picture, component: str) -> Iterable[Hypothesis]:
    """Judge whether a change of it was announced, or seen, shortly before the onset."""
    reach = max(CHANGE_SAMPLES * picture.step, CHANGE_LEAST_SECONDS)
    slack = 3 * picture.step + picture.onset.uncertainty_seconds
    for change, evidence in picture.changes:
        gap = picture.onset.at - change.at
        if change.service == component and -slack <= gap <= reach:
            yield _announced(picture, change, evidence, max(gap, 0.0) / reach)
    if not any(change.service == component for change, _ in picture.changes):
        seen = _new_version(picture, component)
        if seen is not None:
            yield seen


def _announced(picture: Picture, change: Change, evidence: str, distance: float) -> Hypothesis:
    component = change.service
    onset = picture.onset.at
    text = f'{change.kind} of {component} "{change.title}" at {clock(change.at)}'
    if onset >= change.at:
        text += f", {span(onset - change.at)} before the onset"
    points = [Point(text=text, evidence=(evidence, picture.onset_evidence))]
    points += _fresh(picture, component)
    points += _mentions(picture, component)
    kind = CauseKind.CONFIGURATION if change.kind in {"flag", "config"} else CauseKind.BAD_ROLLOUT
    certain = 0.97 if len(points) > 1 else 0.93
    if change.kind == "other":
        certain *= 0.7
    return Hypothesis(
        component=component,
        kind=kind,
        strength=certain * (1 - 0.5 * distance),
        points=tuple(points),
        moved_at=change.at,
        local=True,
    )


def _fresh(picture: Picture, component: str) -> list[Point]:
    points = []
    started = restarted(picture, component)
    if started is not None:
        text = f"{component} runs as a new process, started at {clock(started.now)}"
        points.append(Point(text=text, evidence=(started.evidence,)))
    return points


def _mentions(picture: Picture, component: str) -> list[Point]:
    """Say that the failing answers name the component: a hint, as the text comes from outside."""
    junior = picture.junior
    if junior is None or component == junior.component:
        return []
    word = re.compile(rf"(?<![\w-]){re.escape(component)}(?![\w-])")
    if not any(word.search(text) for text in junior.texts):
        return []
    text = f"the failing answers of {junior.component} name {component}"
    return [Point(text=text, evidence=(junior.evidence,))]


def _new_version(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether a version runs now that did not before, and that nobody announced."""
    found = strongest(
        picture.of(component, Role.VERSION), lambda m: m.now > 0 and m.share_before == 0
    )
    version = "" if found is None else found.labels.get("version", "")
    if found is None or not version or restarted(picture, component) is None:
        return None
    text = f"{component} runs version {version}, which it did not before"
    points = [Point(text=text, evidence=(found.evidence,)), *_fresh(picture, component)]
    return Hypothesis(
        component=component,
        kind=CauseKind.BAD_ROLLOUT,
        strength=0.8,
        points=tuple(points),
        moved_at=found.moved_at,
        local=True,
    )


def monitoring(picture: Picture, component: str) -> Hypothesis | None:
    """Judge whether the alert is about the monitoring, or says only that nothing is known."""
    lead = picture.incident.lead.alert
    own = lead.labels.get("component") == _ONLY_ITSELF
    junior = picture.junior
    blind = junior is not None and junior.state == "unknown" and not junior.reasons
    if component != picture.symptom or not (own or blind):
        return None
    text, evidence = f"{lead.name} is about the monitoring itself", picture.alert.id
    if not own and junior is not None:
        text, evidence = f"the junior sees {junior.target} as unknown", junior.evidence
    return Hypothesis(
        component=component,
        kind=CauseKind.MONITORING,
        strength=0.9 if own else 0.5,
        points=(Point(text=text, evidence=(evidence,)),),
    )


def provider(picture: Picture, component: str) -> Hypothesis | None:
    """Judge a failing model endpoint without series of its own: it is somebody else's server."""
    junior = picture.junior
    natives = [m for m in picture.movements if m.component == component and _native(m.role)]
    others = [m for m in picture.movements if m.component != component and _native(m.role)]
    failing_states = {"down", "unresponsive", "saturated"}
    if component != picture.symptom or junior is None or natives or not others:
        return None
    if junior.state not in failing_states or not any(k in junior.kind for k in ("openai", "llm")):
        return None
    text = f"{component} has no series of its own, and its junior sees it as {junior.state}"
    return Hypothesis(
        component=component,
        kind=CauseKind.PROVIDER_OUTAGE,
        strength=0.82,
        points=(Point(text=text, evidence=(junior.evidence,)),),
    )


def _native(role: Role) -> bool:
    return not role.value.startswith("probe") and role not in {Role.ALERT, Role.CERTIFICATE_END}
