"""A report in three lines: what, why and what to do; for messages that people read in passing."""

from __future__ import annotations

from responder.channel import Message
from responder.guard import line, mask_secrets
from responder.investigation.report import Cause, Report
from responder.investigation.wording import date, span

_LONGEST = 400
_STATES = {"reported": "", "updated": "Updated: ", "resolved": "Resolved: "}


def fit(text: str, limit: int = _LONGEST) -> str:
    """Put *text* on one line, what cannot be seen stripped and secrets masked."""
    return mask_secrets(line(text, limit))


def shortened(report: Report, most: int = 50) -> Report:
    """Give the report with so many entries of each kind at most, and a note where there are more.

    A message is read in passing, and its making must not hold up the event loop.
    """
    parts = ("summary", "causes", "timeline", "ruled_out", "unverified", "actions", "coverage")
    long = [name for name in (*parts, "notes") if len(getattr(report, name)) > most]
    if not long:
        return report
    changes = {name: getattr(report, name)[:most] for name in long}
    cut = f"the first {most} of each kind are shown; all are on the incident's page"
    changes["notes"] = (*report.notes[: most - 1], cut)
    impact = report.impact
    changes["impact"] = impact.model_copy(
        update={name: getattr(impact, name)[:most] for name in type(impact).model_fields}
    )
    return report.model_copy(update=changes)


def title(message: Message, limit: int = 150) -> str:
    """Give the state, the severity and the headline."""
    severity = message.incident.severity
    return fit(f"{_STATES[message.event]}[{severity}] {message.report.headline}", limit)


def what(message: Message) -> str:
    """Say who is affected, and whether it lasts."""
    incident = message.incident
    impact = message.report.impact
    names = impact.affected or incident.targets or incident.alertnames
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    if incident.resolved_at is None:
        standing = f"since {date(incident.opened_at)} UTC"
    else:
        lasted = span(max(0.0, incident.resolved_at - incident.opened_at))
        standing = f"over since {date(incident.resolved_at)} UTC, lasted {lasted}"
    return fit(f"{shown or 'An incident'}, {standing}")


def why(report: Report) -> str:
    """Name the first cause, its confidence, and what speaks for it."""
    if not report.causes:
        return "No cause is known."
    first = report.causes[0]
    return fit(f"{named(first)}. {first.claims[0].text if first.claims else ''}")


def named(cause: Cause) -> str:
    """Name a cause and its confidence."""
    kind = cause.kind.value.replace("_", " ")
    return fit(f"{cause.component}: {kind} ({cause.confidence.value} confidence)")


def todo(report: Report) -> str:
    """Give the first action and where it comes from, else what was decided."""
    if report.actions:
        action = report.actions[0]
        return fit(f"{action.text} [{action.source}]")
    reasons = report.decision.reasons
    return fit(f"{report.decision.kind.value}{': ' if reasons else ''}{'; '.join(reasons)}")
