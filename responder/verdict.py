"""What an operator says of a report: that it was right, that it was not, or what was the cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from responder.guard import clean, line, mask_secrets
from responder.investigation.evidence import CauseKind

LONGEST_NOTE = 2000
LONGEST_NAME = 200
LARGEST_READ = 32 * 1024
MOST_OF_AN_INCIDENT = 100
"""Verdicts kept of one incident; a page that is posted to in a loop must not fill the disk."""
_KINDS = ", ".join(sorted(kind.value for kind in CauseKind))


class Ruling(StrEnum):
    """What is said of the first cause of a report."""

    CONFIRM = "confirm"
    CORRECT = "correct"
    REJECT = "reject"


class VerdictError(Exception):
    """A verdict cannot be taken: `where: problem; remedy`."""


class NoReportError(VerdictError):
    """There is no such incident, or it has no report to judge."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What was said: for `correct` the true cause, else none of our own; `by` is who says it."""

    ruling: Ruling
    component: str = ""
    kind: str = ""
    note: str = ""
    by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What was said of a report, of what it had named first, and the cause that it leaves.

    `component` and `kind` are the true cause as far as it is known: for `confirm` what the report
    named, for `reject` empty. `at` is in seconds since the epoch.
    """

    incident_id: str
    report_id: str
    ruling: Ruling
    component: str
    kind: str
    note: str
    by: str
    at: float
    analyst: str
    confidence: str


def said(given: Mapping[str, Any]) -> Said:
    """Read a verdict out of JSON or of a form; raises VerdictError.

    `{"verdict": "correct", "cause": {"component": "chat", "kind": "out_of_memory"}, "note": "",
    "by": ""}`; a cause may be written `chat:out_of_memory` as well.
    """
    unknown = sorted(set(given) - {"verdict", "cause", "component", "kind", "note", "by"})
    if unknown:
        raise VerdictError(f"verdict: unknown field {line(unknown[0], 40)!r}; leave it out")
    word = given.get("verdict")
    if not isinstance(word, str) or word not in set(Ruling):
        raise VerdictError(f"verdict: must be one of {', '.join(Ruling)}; send one of these")
    component, kind = _cause(given)
    ruling = Ruling(word)
    if ruling is Ruling.CORRECT:
        _whole(component, kind)
    elif component or kind:
        raise VerdictError(f"cause: {ruling} names none; leave it out, or say correct")
    return Said(
        ruling=ruling,
        component=component,
        kind=kind,
        # Masked before it is cut: a part of a secret looks like none.
        note=clean(mask_secrets(clean(_text(given, "note"), LARGEST_READ)), LONGEST_NOTE),
        by=mask_secrets(line(_text(given, "by"), LONGEST_NAME)),
    )


def _cause(given: Mapping[str, Any]) -> tuple[str, str]:
    cause = given.get("cause") or {"component": given.get("component"), "kind": given.get("kind")}
    if isinstance(cause, str):
        component, _, kind = cause.rpartition(":")
        cause = {"component": component, "kind": kind}
    if not isinstance(cause, Mapping):
        raise VerdictError("cause: must be COMPONENT:KIND, or both by name; send it so")
    component = mask_secrets(line(_text(cause, "component"), LONGEST_NAME)).strip()
    return component, _text(cause, "kind").strip()


def _whole(component: str, kind: str) -> None:
    if not component:
        raise VerdictError("cause: no component; name where the true cause was")
    if kind not in set(CauseKind):
        raise VerdictError(f"cause: unknown kind {line(kind, 40)!r}; it is one of {_KINDS}")


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise VerdictError(f"{name}: must be text; put it in quotation marks")
    return value


def told(verdict: Verdict) -> str:
    """Say a verdict in a few words."""
    by = f" by {verdict.by}" if verdict.by else ""
    match verdict.ruling:
        case Ruling.CONFIRM:
            return f"confirmed{by}"
        case Ruling.CORRECT:
            return f"corrected{by}: the cause was {verdict.component}, {verdict.kind}"
        case Ruling.REJECT:
            return f"rejected{by}: that was not the cause"
