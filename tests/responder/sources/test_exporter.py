"""The exporter source: states, last failing exchanges, and answers of every other shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from responder.access import Basic
from responder.investigation.evidence import Status
from responder.sources.exporter import ExporterSource
from tests.responder.sources.far_end import NOW, FarEnd, hang, question
from toolkit.secrets import Secret

PATH = "/api/v1/targets"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


def target(name: str, **more: Any) -> dict[str, Any]:
    """Make a target as the exporter tells of it."""
    return {
        "name": name,
        "kind": "http",
        "host": "h:1",
        "labels": {"service": f"{name}-service"},
        "state": "ok",
        "reason": None,
        "last_run_timestamp_seconds": NOW - 5,
        "interval_seconds": 30,
        "success": True,
        "measurements": {"duration_seconds": 0.25},
        "failures": [],
        **more,
    }


async def test_the_incidents_target_comes_first_with_its_failures(
    session: aiohttp.ClientSession,
) -> None:
    """State, reason, failing exchanges and measurements of the target; the state of others."""
    failure = {
        "timestamp_seconds": NOW - 30,
        "reason": "http_5xx",
        "detail": "500 \x1b[31mInternal",
        "status_code": 500,
        "phases": {},
        "excerpt": "error: token=abcdefgh12345 \u202e",
    }
    chat = target("chat", state="down", reason="http_5xx", failures=[failure, {"reason": 3}, 7])
    answers = {PATH: lambda _: {"targets": [target("api"), chat]}}
    async with FarEnd(answers=answers) as far:
        finding = await ExporterSource(url=far.url).gather(question(session))
    first, other = finding.evidence
    assert first.component == "chat-service"
    assert first.facts["state"] == "down"
    assert first.facts["failure 1 status code"] == "500"
    assert first.facts["failure 1 detail"] == "500 Internal"
    assert "abcdefgh12345" not in first.facts["failure 1 excerpt"]
    assert {q.name: q.value for q in first.quantities}["failure 1"] == NOW - 30
    assert other.facts["state"] == "ok"
    assert not other.quantities


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"targets": []}, Status.EMPTY),
        ({"targets": [1, {}, {"name": ""}]}, Status.EMPTY),
        ({}, Status.FAILED),
        ([], Status.FAILED),
        ({"targets": {"a": 1}}, Status.FAILED),
    ],
)
async def test_other_shapes_are_told(
    session: aiohttp.ClientSession, body: Any, status: Status
) -> None:
    """No list, an empty one, and one of nonsense are different things."""
    async with FarEnd(answers={PATH: lambda _: body}) as far:
        finding = await ExporterSource(url=far.url).gather(question(session))
    assert finding.evidence[0].status is status


async def test_no_answer_is_unavailable(session: aiohttp.ClientSession) -> None:
    """Hanging and refusing are both unavailable; a 404 is failed."""
    async with FarEnd(answers={PATH: hang}) as far:
        hung = await ExporterSource(url=far.url, timeout=0.2).gather(question(session))
    refused = await ExporterSource(url="http://127.0.0.1:1").gather(question(session))
    async with FarEnd(answers={}) as far:
        missing = await ExporterSource(url=far.url).gather(question(session))
    found = [each.evidence[0].status for each in (hung, refused, missing)]
    assert found == [Status.UNAVAILABLE, Status.UNAVAILABLE, Status.FAILED]


async def test_a_target_it_does_not_know_is_empty(session: aiohttp.ClientSession) -> None:
    """The alert's target is not among the exporter's: said, not passed over."""
    answers = {PATH: lambda _: {"targets": [target("api")]}}
    async with FarEnd(answers=answers) as far:
        finding = await ExporterSource(url=far.url).gather(question(session))
    assert [e.title for e in finding.evidence if e.status is Status.EMPTY] == ["target chat"]


async def test_credentials_are_sent(session: aiohttp.ClientSession) -> None:
    """A user and password go as RFC 7617 says."""
    basic = Basic(username="u", password=Secret(place="a test", value="p:w"))
    async with FarEnd(answers={PATH: lambda _: {"targets": []}}) as far:
        await ExporterSource(url=far.url, basic=basic).gather(question(session))
    assert far.headers[0]["Authorization"] == "Basic dTpwOnc="
