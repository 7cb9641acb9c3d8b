"""Our own memory: what was reported of incidents like this one; a hypothesis, never evidence.

It is listed in the ledger and told to the reader. No suspect, no claim and no confidence rests on
it: what was the cause last time is a question to ask, not an answer (`responder/past.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import Field

from responder.alert import Alert
from responder.guard import line, mask_secrets
from responder.incident import Incident
from responder.investigation.evidence import Evidence, Status
from responder.past import ORIGIN, SEEN, TRUE_CAUSE, Past
from responder.source import Finding, Question, sources
from toolkit.settings import Duration, Settings

LONGEST_HEADLINE = 200
LONGEST_VERDICT = 300
LONGEST_NAME = 200
LONGEST_TEXT = 800


@sources.register("incidents")
class IncidentsSource(Settings):
    """Past incidents of the responder's own database."""

    timeout: Duration = Field(3.0, gt=0, description="for the database's answer")

    async def gather(self, question: Question) -> Finding:
        """Ask the memory; never raises."""
        return Finding(evidence=[await self._alike(question.incident, question)])

    async def remembered(self, alert: str, question: Question) -> Sequence[Evidence]:
        """Tell those in which an alert of another name fired; never raises."""
        return [await self._alike(_of_alert(alert, question.incident), question)]

    async def _alike(self, incident: Incident, question: Question) -> Evidence:
        if question.memory is None:
            return _evidence(
                question, Status.UNAVAILABLE, "there is no database here to remember by"
            )
        alerts = [each.alert for each in incident.episodes]
        label = question.topology.component_label
        about = {each.labels.get(label, "") for each in alerts} | {each.target for each in alerts}
        try:
            async with asyncio.timeout(min(self.timeout, question.deadline_seconds)):
                found = await question.memory(incident, frozenset(each for each in about if each))
        except TimeoutError:
            return _evidence(question, Status.UNAVAILABLE, "the database did not answer in time")
        except Exception as error:  # noqa: BLE001 - whatever the database does, a report must come
            return _evidence(question, Status.FAILED, f"not read ({type(error).__name__})")
        if not found:
            return _evidence(question, Status.EMPTY, "none like this one was reported before")
        return _evidence(question, Status.OK, "a hypothesis to test, not evidence", found)


def _of_alert(alert: str, incident: Incident) -> Incident:
    """Make the question for an alert out of that for an incident: same targets, another name."""
    episodes = tuple(
        each.model_copy(update={"alert": _named(each.alert, alert)}) for each in incident.episodes
    )
    return incident.model_copy(update={"episodes": episodes})


def _named(alert: Alert, name: str) -> Alert:
    # Made anew: a copy would keep the name that it has worked out.
    return Alert.model_validate(
        {**alert.model_dump(), "labels": {**alert.labels, "alertname": name}}
    )


def _evidence(
    question: Question, status: Status, detail: str, found: Sequence[Past] = ()
) -> Evidence:
    facts = dict[str, str]()
    for number, each in enumerate(found, 1):
        facts[f"{SEEN} {number}"] = _words(each)
        if each.true_kind:
            cause = f"{line(each.true_component, LONGEST_NAME)}: {each.true_kind}"
            facts[f"{TRUE_CAUSE} {number}"] = mask_secrets(cause)
    return Evidence(
        id="",
        source="incidents",
        title="past incidents like this one",
        query="reports of the same alert, or with their first cause in the same place",
        window=question.window,
        status=status,
        facts={**facts, "origin": ORIGIN},
        detail=detail,
    )


def _words(past: Past) -> str:
    when = datetime.fromtimestamp(past.opened_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    headline = mask_secrets(line(past.headline, LONGEST_HEADLINE))
    told = f"{past.decision}, {past.confidence} confidence" if past.confidence else past.decision
    verdict = f"; {mask_secrets(line(past.verdict, LONGEST_VERDICT))}" if past.verdict else ""
    whole = f"{headline} on {when} ({past.likeness}; {told}{verdict}; incident {past.incident})"
    return line(whole, LONGEST_TEXT)
