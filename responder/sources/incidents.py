"""Our own memory: what was reported of incidents like this one; a hypothesis, never evidence.

It is listed in the ledger and told to the reader. No suspect, no claim and no confidence rests on
it: what was the cause last time is a question to ask, not an answer (`responder/past.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import Field

from responder.guard import line, mask_secrets
from responder.investigation.evidence import Evidence, Status
from responder.past import ORIGIN, Past
from responder.source import Finding, Question, sources
from toolkit.settings import Duration, Settings

LONGEST_HEADLINE = 200


@sources.register("incidents")
class IncidentsSource(Settings):
    """Past incidents of the responder's own database."""

    timeout: Duration = Field(3.0, gt=0, description="for the database's answer")

    async def gather(self, question: Question) -> Finding:
        """Ask the memory; never raises."""
        if question.memory is None:
            return _finding(
                question, Status.UNAVAILABLE, "there is no database here to remember by"
            )
        alerts = [each.alert for each in question.incident.episodes]
        label = question.topology.component_label
        about = {each.labels.get(label, "") for each in alerts} | {each.target for each in alerts}
        try:
            async with asyncio.timeout(min(self.timeout, question.deadline_seconds)):
                found = await question.memory(
                    question.incident, frozenset(each for each in about if each)
                )
        except TimeoutError:
            return _finding(question, Status.UNAVAILABLE, "the database did not answer in time")
        except Exception as error:  # noqa: BLE001 - whatever the database does, a report must come
            return _finding(question, Status.FAILED, f"not read ({type(error).__name__})")
        if not found:
            return _finding(question, Status.EMPTY, "no incident like this one was reported before")
        return _finding(question, Status.OK, "a hypothesis to test, not evidence", found)


def _finding(
    question: Question, status: Status, detail: str, found: Sequence[Past] = ()
) -> Finding:
    facts = {f"seen before {number}": _words(each) for number, each in enumerate(found, 1)}
    evidence = Evidence(
        id="",
        source="incidents",
        title="past incidents like this one",
        query="reports of the same alert, or with their first cause in the same place",
        window=question.window,
        status=status,
        facts={**facts, "origin": ORIGIN},
        detail=detail,
    )
    return Finding(evidence=[evidence])


def _words(past: Past) -> str:
    when = datetime.fromtimestamp(past.opened_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    headline = mask_secrets(line(past.headline, LONGEST_HEADLINE))
    verdict = f"{past.decision}, {past.confidence} confidence" if past.confidence else past.decision
    return line(f"{headline} on {when} ({past.likeness}; {verdict}; incident {past.incident})", 500)
