"""Messages for channels: a plain one, one of hostile text, and one that is far too big."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from responder.alert import Alert, AlertStatus, Episode
from responder.channel import Message
from responder.incident import Incident, IncidentState
from responder.investigation.chart import chart
from responder.investigation.evidence import CauseKind, Status
from responder.investigation.report import (
    Action,
    Cause,
    Claim,
    Confidence,
    Coverage,
    Decision,
    DecisionKind,
    Impact,
    Moment,
    Report,
    Spend,
)

PAGE = "http://responder.example/incidents/i"
HOSTILE = (
    "<!channel> <@U123> <https://evil.example|click> @here <script>alert(1)</script> "
    "</p><img src=http://evil.example/x.png> \r\nBcc: all@example.org\r\n\x1b[31mred\x00\u202e"
    "\u200b& *bold* `code` =?utf-8?q?x?= token=xoxb-99999999999-leaked"
)


def picture() -> str:
    """Draw a small chart as the investigation does."""
    times = np.arange(60, dtype=np.float64) * 15.0 + 1_700_000_000.0
    values = np.where(times > times[30], 3.0, 1.0).astype(np.float64)
    return chart(
        times, [("p99", values)], title="p99 of chat", unit="seconds", onset_at=float(times[30])
    )


def report(text: str = "its first token takes 9 s", count: int = 2) -> Report:
    """Make a report whose every text is *text*, and whose every part has *count* entries."""
    claim = Claim(text=text, evidence=("E1", "E2"))
    cause = Cause(
        component=text[:200],
        kind=CauseKind.HUNG_ENGINE,
        confidence=Confidence.HIGH,
        claims=(claim,),
    )
    return Report(
        id="i-r1",
        incident="i",
        created_at=1_700_000_500.0,
        headline=text,
        summary=(claim,) * count,
        impact=Impact(affected=(text,) * count, healthy=(text,)),
        causes=(cause,) * count,
        timeline=(Moment(at=1_700_000_000.0, text=text),) * count,
        ruled_out=(claim,) * count,
        unverified=(claim,),
        actions=(Action(text=text, source="unverified"),),
        coverage=(Coverage(source=text, title=text, status=Status.OK),) * count,
        decision=Decision(kind=DecisionKind.PAGE, reasons=(text,)),
        analyst="embedded",
        partial=False,
        notes=(text,) * count,
        spend=Spend(),
        seconds=1.0,
    )


def message(text: str = "its first token takes 9 s", count: int = 2, **changes: Any) -> Message:
    """Make a message about such a report."""
    incident = Incident(
        id="i",
        opened_at=1_700_000_000.0,
        state=IncidentState.REPORTED,
        reason="",
        episodes=(_episode(),),
    )
    whole = Message(
        idempotency_key="k" * 32,
        report=report(text, count),
        incident=incident,
        page_url=PAGE,
        chart_svg=picture(),
    )
    return replace(whole, **changes)


def resolved(text: str = "its first token takes 9 s", **changes: Any) -> Message:
    """Make the message of an incident's end."""
    first = message(text, **changes)
    incident = first.incident.model_copy(update={"resolved_at": 1_700_000_900.0})
    return replace(first, incident=incident, event="resolved", idempotency_key="r" * 32)


def _episode() -> Episode:
    alert = Alert(
        fingerprint="f",
        status=AlertStatus.FIRING,
        labels={"alertname": "VigieTargetHung", "severity": "critical", "target": "chat"},
        annotations={},
        starts_at=1_700_000_000.0,
        ends_at=None,
    )
    return Episode(id="e", alert=alert, first_seen_at=1.0)
