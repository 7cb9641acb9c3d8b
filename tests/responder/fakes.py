"""An investigation that finds what it is told to, and posts as Alertmanager makes them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from responder.alert import Change
from responder.incident import Incident
from responder.investigation.analyst import Brief
from responder.investigation.evidence import (
    CauseKind,
    Evidence,
    Quantity,
    Status,
    Suspect,
    Window,
)
from responder.investigation.report import (
    Cause,
    Claim,
    Confidence,
    Coverage,
    Decision,
    DecisionKind,
    Draft,
    Impact,
    Moment,
    Report,
)
from responder.investigation.stages import Disproof, Gathered, Ranked

CHART = '<svg xmlns="http://www.w3.org/2000/svg"><title>chart</title></svg>'


class ScriptedInvestigation:
    """Answers every stage at once, unless it is told to wait or to fail there."""

    def __init__(self) -> None:
        """Begin without a script."""
        self.calls: Counter[str] = Counter()
        self.order: list[str] = []
        self.fail: dict[str, int] = {}
        self.problem = ""
        self.hold: dict[str, asyncio.Event] = {}

    async def _enter(self, stage: str) -> None:
        self.calls[stage] += 1
        if stage in self.hold:
            await self.hold[stage].wait()
        if self.fail.get(stage, 0) > 0:
            self.fail[stage] -= 1
            raise ValueError(f"told to fail in {stage}{self.problem}")

    async def gather(self, incident: Incident, changes: Sequence[Change]) -> Gathered:
        """Bring one piece of evidence, which names the incident's lead and its changes."""
        self.order.append(incident.lead.alert.name)
        await self._enter("gather")
        titles = ", ".join(change.title for change in changes)
        evidence = Evidence(
            id="E1",
            source="scripted",
            title=f"series of {incident.lead.alert.name}",
            query="up",
            window=Window(start=0, end=60),
            status=Status.OK,
            quantities=(Quantity(name="value at onset", value=1.5, unit="seconds"),),
            facts={"changes": titles},
            chart_svg=CHART,
            link="javascript:alert(1)",
        )
        window = Window(start=0, end=60)
        return Gathered(window=window, evidence=(evidence,), frame=None, runbooks={})

    def rank(self, incident: Incident, gathered: Gathered, changes: Sequence[Change]) -> Ranked:
        """Suspect the component `chat`."""
        del incident, changes
        self.calls["rank"] += 1
        suspect = Suspect(
            component="chat",
            kind=CauseKind.HUNG_ENGINE,
            score=1.0,
            onset_at=gathered.window.start,
            explanation="nothing moves",
        )
        return Ranked(onset_at=0, onset_uncertainty_seconds=1, suspects=(suspect,))

    async def disprove(
        self, incident: Incident, gathered: Gathered, ranked: Ranked
    ) -> tuple[tuple[Disproof, ...], tuple[Evidence, ...]]:
        """Hold the suspect's question for answered."""
        del incident, gathered
        await self._enter("disprove")
        found = Disproof(
            suspect=ranked.suspects[0].component,
            kind=ranked.suspects[0].kind,
            question="are peers healthy?",
            held=True,
            evidence="E1",
            text="they are",
        )
        return (found,), ()

    async def analyse(self, brief: Brief) -> Draft:
        """Write a draft that names the suspect."""
        await self._enter("analyse")
        claim = Claim(text=f"{brief.incident.lead.alert.name} <b>fires</b>", evidence=("E1",))
        cause = Cause(
            component="chat",
            kind=CauseKind.HUNG_ENGINE,
            confidence=Confidence.MEDIUM,
            claims=(claim,),
        )
        return Draft(analyst="scripted", headline="chat hangs", summary=(claim,), causes=(cause,))

    def conclude(
        self,
        brief: Brief,
        draft: Draft,
        disproofs: Sequence[Disproof],
        *,
        report_id: str,
        started_at: float,
        now: float,
    ) -> Report:
        """Compose the report without any check."""
        del disproofs
        self.calls["conclude"] += 1
        return Report(
            id=report_id,
            incident=brief.incident.id,
            created_at=now,
            headline=draft.headline,
            summary=draft.summary,
            impact=Impact(affected=brief.incident.targets),
            causes=draft.causes,
            timeline=(Moment(at=started_at, text="begun"),),
            ruled_out=(),
            unverified=(),
            actions=(),
            coverage=(Coverage(source="scripted", title="series", status=Status.OK),),
            decision=Decision(kind=DecisionKind.PAGE, reasons=("it hangs",)),
            analyst=draft.analyst,
            partial=False,
            notes=(),
            spend=draft.spend,
            seconds=now - started_at,
        )


def rfc3339(at: float) -> str:
    """Write a time the way Alertmanager does."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def alert(
    name: str = "VigieTargetHung",
    *,
    starts_at: float,
    ends_at: float | None = None,
    **labels: str,
) -> dict[str, Any]:
    """Make one alert of a post; without a severity it is critical, without a target `chat`."""
    named = {"alertname": name, "severity": "critical", "target": "chat"} | labels
    return {
        "status": "firing" if ends_at is None else "resolved",
        "labels": {key: value for key, value in named.items() if value},
        "annotations": {"summary": f"{name} summary"},
        "startsAt": rfc3339(starts_at),
        "endsAt": "0001-01-01T00:00:00Z" if ends_at is None else rfc3339(ends_at),
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "-".join(sorted(named.values())),
    }


def post(*alerts: Mapping[str, Any], group: str = "{}:{}") -> dict[str, Any]:
    """Make the body of a post."""
    return {
        "version": "4",
        "groupKey": group,
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "responder",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": list(alerts),
    }
