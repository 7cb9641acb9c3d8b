"""What to do about an incident: policy in code, each decision with its reasons."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from responder.guard import mask_secrets
from responder.incident import Incident
from responder.investigation.evidence import CauseKind, Evidence, Status
from responder.investigation.report import Cause, Confidence, Decision, DecisionKind
from responder.promql import quote

HURTS_USERS = frozenset({"down", "hung", "saturated", "unresponsive", "wrong"})
SILENCE_DURATION = "2h"
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_IDENTIFYING = ("alertname", "target", "instance", "job")


def decide(incident: Incident, evidence: Sequence[Evidence], causes: Sequence[Cause]) -> Decision:
    """Decide on `page`, `ticket`, `watch` or `expected`.

    `expected` never suppresses a page: people were paged by Alertmanager before this was written.
    """
    kind, reasons = _kind(incident, evidence)
    leading = causes[0] if causes else None
    if leading is None or leading.kind is CauseKind.UNKNOWN:
        reasons.append("the cause is not known: a person has to look")
    elif leading.confidence is Confidence.LOW:
        reasons.append("the first cause is uncertain")
    return Decision(
        kind=kind,
        reasons=tuple(reasons),
        escalation=_escalation(kind),
        proposed_silence=silence(incident),
    )


def _kind(incident: Incident, evidence: Sequence[Evidence]) -> tuple[DecisionKind, list[str]]:
    if incident.resolved_at is not None:
        return DecisionKind.WATCH, ["every alert of the incident has resolved"]
    if held := _silenced(incident, evidence):
        return DecisionKind.EXPECTED, [held]
    hurt = _hurt(incident, evidence)
    if incident.severity == "critical":
        return DecisionKind.PAGE, ["an alert of severity critical fires", *hurt]
    if hurt and incident.severity == "warning":
        return DecisionKind.PAGE, [*hurt, "that is worse than the alert's severity says"]
    if incident.severity == "warning":
        return DecisionKind.TICKET, ["the alerts are warnings, and users are served"]
    return DecisionKind.WATCH, [f"the alerts are of severity {incident.severity}"]


def _silenced(incident: Incident, evidence: Sequence[Evidence]) -> str:
    # Alertmanager may know fewer alerts than fire: what it does not tell of is not silenced.
    needed = max(1, sum(each.resolved_at is None for each in incident.episodes))
    for each in evidence:
        if each.source == "alertmanager" and each.status is Status.OK:
            said = [v for k, v in each.facts.items() if k.endswith(" is")]
            if len(said) >= needed and all("silenced by" in text for text in said):
                return "every alert of the incident is silenced in Alertmanager"
    return ""


def _hurt(incident: Incident, evidence: Sequence[Evidence]) -> list[str]:
    return [
        f"target {each.facts['target']} is {each.facts['state']}"
        for each in evidence
        if each.source == "exporter"
        and each.facts.get("target") in incident.targets
        and each.facts.get("state") in HURTS_USERS
    ]


def _escalation(kind: DecisionKind) -> str:
    return {
        DecisionKind.PAGE: "call the owner of the first cause when it still fires in 30 minutes",
        DecisionKind.TICKET: "page when a critical alert joins, or when it still fires tomorrow",
        DecisionKind.WATCH: "ticket when it comes back within a day",
        DecisionKind.EXPECTED: "page when it outlives its silence",
    }[kind]


def _can_be_written(name: str, value: str) -> bool:
    is_plain = value.isprintable() and mask_secrets(value) == value
    return _LABEL.fullmatch(name) is not None and is_plain


def silence(incident: Incident) -> str:
    """Return an amtool line that would silence the leading alert; it is shown, never run.

    None where a label that narrows it cannot be written: without it others would be silent too.
    """
    labels = incident.lead.alert.labels
    chosen = [name for name in _IDENTIFYING if labels.get(name)]
    if labels.get("target"):
        chosen = [name for name in chosen if name in {"alertname", "target"}]
    if not chosen or not all(_can_be_written(name, labels[name]) for name in chosen):
        return ""
    matchers = [shlex.quote(f"{name}={quote(labels[name])}") for name in chosen]
    comment = shlex.quote(f"incident {incident.id}")
    options = f"--duration={SILENCE_DURATION} --comment={comment}"
    return f"amtool silence add {options} {' '.join(matchers)}"
