"""The analyst without a model: writes the draft from suspects and evidence, by rules; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from responder.investigation.analyst import Brief
from responder.investigation.evidence import CauseKind, Evidence, Status, Suspect
from responder.investigation.phrases import actions, headline
from responder.investigation.report import Action, Cause, Claim, Confidence, Draft
from responder.investigation.wording import clock

NAME = "embedded"
MOST_CAUSES = 3
MOST_RULED_OUT = 5
MOST_STEPS = 4
HIGH_SCORE = 0.7
MEDIUM_SCORE = 0.4
_STEP = re.compile(r"^\s*(?:[-*]|\d+\.)\s+(.+)$")


class EmbeddedAnalyst:
    """The analyst that is always there."""

    async def analyse(self, brief: Brief) -> Draft:
        """Write the draft; nothing is awaited, nothing is asked."""
        return draft(brief)


def draft(brief: Brief) -> Draft:
    """Write the draft of a brief: same brief, same draft."""
    leading = brief.suspects[:MOST_CAUSES]
    first = leading[0] if leading else None
    kind = first.kind if first is not None else CauseKind.UNKNOWN
    component = first.component if first is not None else brief.incident.lead.alert.name
    return Draft(
        analyst=NAME,
        headline=headline(kind, component),
        summary=tuple(_summary(brief, first)),
        causes=tuple(_cause(each) for each in leading),
        ruled_out=tuple(_ruled_out(brief))[:MOST_RULED_OUT],
        actions=tuple(_actions(brief, kind, component)),
    )


def _summary(brief: Brief, first: Suspect | None) -> Iterator[Claim]:
    lead = brief.incident.lead.alert
    alert = brief.evidence[0].id if brief.evidence else ""
    onset = next((each.id for each in brief.evidence if each.source == "onset"), "")
    about = f" on {lead.target}" if lead.target else ""
    text = f"{lead.name}{about} fired at {clock(lead.starts_at)}"
    if onset:
        text += f"; it began at {clock(brief.onset_at)}"
    yield Claim(text=text, evidence=tuple(each for each in (alert, onset) if each))
    for point in first.points[:2] if first is not None else ():
        yield Claim(text=point.text, evidence=point.evidence)


def _cause(suspect: Suspect) -> Cause:
    claims = tuple(Claim(text=each.text, evidence=each.evidence) for each in suspect.points)
    if not claims:
        claims = (Claim(text=suspect.explanation, evidence=suspect.supporting),)
    return Cause(
        component=suspect.component,
        kind=suspect.kind,
        confidence=confidence(suspect),
        claims=claims,
    )


def confidence(suspect: Suspect) -> Confidence:
    """Say how sure code is of a suspect by its score alone."""
    if suspect.kind is CauseKind.UNKNOWN or suspect.score < MEDIUM_SCORE:
        return Confidence.LOW
    return Confidence.HIGH if suspect.score >= HIGH_SCORE else Confidence.MEDIUM


def _ruled_out(brief: Brief) -> Iterator[Claim]:
    """Name what was seen to be well, as far as juniors see it."""
    suspected = {each.component for each in brief.suspects[:MOST_CAUSES]}
    for each in brief.evidence:
        if _healthy(each) and each.component not in suspected:
            text = f"{each.facts['target']} is well: its junior sees it as ok"
            yield Claim(text=text, evidence=(each.id,))


def _healthy(evidence: Evidence) -> bool:
    facts = evidence.facts
    seen = evidence.source == "exporter" and evidence.status is Status.OK
    return seen and "target" in facts and facts.get("state") == "ok"


def _actions(brief: Brief, kind: CauseKind, component: str) -> Iterator[Action]:
    for text in actions(kind, component):
        yield Action(text=text, source="unverified")
    name = brief.incident.lead.alert.name
    for step in steps(brief.runbooks.get(name, "")):
        yield Action(text=step, source=name)


def steps(page: str) -> tuple[str, ...]:
    """Return the steps under a runbook's Mitigation heading, its first paragraph without a list."""
    inside = False
    found: list[str] = []
    paragraph: list[str] = []
    for text in page.splitlines():
        if text.startswith("#"):
            inside = text.strip("# ").strip().lower() == "mitigation"
        elif inside and (step := _STEP.match(text)):
            found.append(step[1].strip())
        elif inside and found and text.startswith(" ") and text.strip():
            found[-1] += f" {text.strip()}"
        elif inside and text.strip():
            paragraph.append(text.strip())
    if not found and paragraph:
        found = [" ".join(paragraph)]
    return tuple(each[:400] for each in found[:MOST_STEPS])
