"""The alertmanager source: other alerts, what holds this one back, silences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from responder.investigation.evidence import Status
from responder.sources.alertmanager import AlertmanagerSource
from tests.responder.sources.far_end import FarEnd, question

ALERTS, SILENCES = "/api/v2/alerts", "/api/v2/silences"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


def alert(fingerprint: str, name: str, **status: Any) -> dict[str, Any]:
    """Make an alert as the API gives it."""
    return {
        "fingerprint": fingerprint,
        "labels": {"alertname": name, "target": "t"},
        "receivers": [{"name": "pager"}, {"name": "responder"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], **status},
    }


async def test_own_and_other_alerts_and_silences_are_told(session: aiohttp.ClientSession) -> None:
    """Inhibition and receivers of our alert, the others by name, and current silences."""
    matcher = {"name": "target", "value": "c", "isRegex": True, "isEqual": False}
    silences = [
        {"id": "s1", "status": {"state": "active"}, "matchers": [matcher], "comment": "work\x00"},
        {"status": {"state": "expired"}, "matchers": []},
    ]
    held = {"inhibitedBy": ["x", "gone"], "silencedBy": ["s1"], "mutedBy": ["nights"]}
    own_alert = alert("fp0", "Slow", **held)
    answers = {
        ALERTS: lambda _: [own_alert, alert("x", "Down")],
        SILENCES: lambda _: silences,
    }
    async with FarEnd(answers=answers) as far:
        finding = await AlertmanagerSource(url=far.url).gather(question(session))
    others, own, silenced = finding.evidence
    assert others.facts["alert 1"] == "Down t (active)"
    assert own.facts["Slow 1 is"] == (
        "silenced by target!~c: work; inhibited by Down t; inhibited by gone; muted by nights"
    )
    assert own.facts["Slow 1 goes to"] == "pager, responder"
    assert silenced.facts["silence 1"] == "target!~c: work"
    assert silenced.quantities[0].value == 1


async def test_nothing_there_is_empty_and_not_healthy(session: aiohttp.ClientSession) -> None:
    """No other alert and no silence are empty answers; ours missing is one as well."""
    async with FarEnd(answers={ALERTS: lambda _: [], SILENCES: lambda _: []}) as far:
        finding = await AlertmanagerSource(url=far.url).gather(question(session))
    assert [each.status for each in finding.evidence] == [Status.EMPTY] * 3


@pytest.mark.parametrize("body", [{}, "x", 1, [1, {"status": 3, "labels": 4, "receivers": 5}]])
async def test_other_shapes_never_raise(session: aiohttp.ClientSession, body: Any) -> None:
    """Whatever JSON comes, three pieces of evidence come of it."""
    async with FarEnd(answers={ALERTS: lambda _: body, SILENCES: lambda _: body}) as far:
        finding = await AlertmanagerSource(url=far.url).gather(question(session))
    assert len(finding.evidence) == 3


async def test_no_answer_is_unavailable(session: aiohttp.ClientSession) -> None:
    """A refused connection is told for each question."""
    finding = await AlertmanagerSource(url="http://127.0.0.1:1").gather(question(session))
    assert {each.status for each in finding.evidence} == {Status.UNAVAILABLE}
