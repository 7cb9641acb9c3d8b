"""A small brief for the tests of the analysts."""

from __future__ import annotations

from responder.alert import Alert, AlertStatus, Episode
from responder.incident import Incident, IncidentState
from responder.investigation.analyst import Brief
from responder.investigation.evidence import (
    CauseKind,
    Evidence,
    Quantity,
    Status,
    Suspect,
    Window,
)

ONSET = 1_700_000_000.0


def incident(summary: str = "The engine answers nothing.") -> Incident:
    """Return an incident of one alert on the target chat."""
    alert = Alert(
        fingerprint="f1",
        status=AlertStatus.FIRING,
        labels={"alertname": "VigieTargetHung", "severity": "critical", "target": "chat"},
        annotations={"summary": summary},
        starts_at=ONSET + 10,
        ends_at=None,
    )
    episode = Episode(id="e1", alert=alert, first_seen_at=ONSET + 11)
    return Incident(
        id="inc1",
        opened_at=ONSET + 11,
        state=IncidentState.INVESTIGATING,
        reason="a new condition",
        episodes=(episode,),
    )


def evidence(identity: str = "E1", detail: str = "", fact: str = "hung") -> Evidence:
    """Return a piece of evidence about chat."""
    return Evidence(
        id=identity,
        source="prometheus",
        title="tokens generated per second by chat",
        query="rate(vllm:generation_tokens_total[5s])",
        window=Window(start=ONSET - 60, end=ONSET + 20),
        status=Status.OK,
        component="chat",
        quantities=(
            Quantity(name="value at onset", value=0.0, unit="per_second"),
            Quantity(name="baseline", value=118.4, unit="per_second"),
        ),
        facts={"state": fact},
        detail=detail,
    )


def brief(summary: str = "The engine answers nothing.", detail: str = "") -> Brief:
    """Return a brief with one suspect, two pieces of evidence and a runbook."""
    suspect = Suspect(
        component="chat",
        kind=CauseKind.HUNG_ENGINE,
        score=1.0,
        onset_at=ONSET,
        explanation="chat generates no tokens (0/s, was 118.4/s)",
        supporting=("E1", "E2"),
    )
    return Brief(
        incident=incident(summary),
        onset_at=ONSET,
        evidence=(evidence("E1", detail), evidence("E2")),
        suspects=(suspect,),
        changes=(),
        runbooks={"VigieTargetHung": "## Mitigation\n\n- Restart the engine.\n"},
    )
