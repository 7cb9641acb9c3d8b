"""What is investigated by hand: described alerts, and incidents that a responder tells of."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from responder.byhand.subject import SubjectError, described, known, labels_of

AT = 1_700_000_000.0


def test_a_described_alert_is_an_incident() -> None:
    """Its labels are its own, and the same description gives the same incident."""
    labels = {"alertname": "Down", "target": "chat", "severity": "critical"}
    incident = described(labels, AT)
    assert (incident.alertnames, incident.targets, incident.severity) == (
        ("Down",),
        ("chat",),
        "critical",
    )
    assert described(labels, AT) == incident
    assert described(labels, AT + 1).id != incident.id


def test_labels_are_pairs() -> None:
    """The value may hold anything, the name must be there."""
    assert labels_of(["a=b", "c=d=e", "f="]) == {"a": "b", "c": "d=e", "f": ""}
    for wrong in ("a", "=b", ""):
        with pytest.raises(SubjectError, match="not name=value"):
            labels_of([wrong])


def test_an_alert_needs_a_name() -> None:
    """Without one there is nothing to look for."""
    with pytest.raises(SubjectError, match="--alert: no name"):
        described({"alertname": ""}, AT)


async def _ask(aiohttp_server: AiohttpServer, status: int, body: Any) -> Any:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    server = await aiohttp_server(app)
    async with aiohttp.ClientSession() as session:
        return await known(str(server.make_url("")), "i1", session, {})


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (404, {}, "no such incident"),
        (401, {}, "answered 401"),
        (302, {}, "answered 302"),
        (200, [], "not a responder's"),
        (
            200,
            {"id": "i1", "opened_at": "soon", "episodes": [], "changes": []},
            "not a responder's",
        ),
        (200, {"id": "i1", "opened_at": 1.0, "episodes": [{}], "changes": []}, "not a responder's"),
    ],
)
async def test_an_odd_answer_is_an_error(
    aiohttp_server: AiohttpServer, status: int, body: Any, problem: str
) -> None:
    """Each says what came, from where, and what to do."""
    with pytest.raises(SubjectError, match=problem):
        await _ask(aiohttp_server, status, body)


async def test_nobody_there_is_an_error() -> None:
    """A responder that does not run is named with its address."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(SubjectError, match=r"127\.0\.0\.1:1/.*ClientConnectorError; start"):
            await known("http://127.0.0.1:1", "i1", session, {})
