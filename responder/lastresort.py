"""The report of an incident whose investigation could not be run: it says so, and pages."""

from __future__ import annotations

from responder.incident import Incident
from responder.investigation.report import (
    Decision,
    DecisionKind,
    Impact,
    Moment,
    Report,
    Spend,
)


def apology(incident: Incident, report_id: str, problem: str, now: float) -> Report:
    """Write what is known of *incident* alone; *problem* is why nothing was looked at."""
    alertnames = ", ".join(name or "unnamed alert" for name in incident.alertnames)
    subject = ", ".join(incident.targets) or alertnames
    reason = "the investigation failed, so nothing speaks against paging"
    return Report(
        id=report_id,
        incident=incident.id,
        created_at=now,
        headline=f"{subject}: {alertnames} fires; it could not be investigated",
        summary=(),
        impact=Impact(affected=incident.targets),
        causes=(),
        timeline=tuple(
            Moment(at=episode.alert.starts_at, text=f"{episode.alert.name} began to fire")
            for episode in incident.episodes
        ),
        ruled_out=(),
        unverified=(),
        actions=(),
        coverage=(),
        decision=Decision(kind=DecisionKind.PAGE, reasons=(reason,)),
        analyst="none",
        partial=True,
        notes=(f"No evidence was looked at: {problem}",),
        spend=Spend(),
        seconds=max(0.0, now - incident.opened_at),
    )
