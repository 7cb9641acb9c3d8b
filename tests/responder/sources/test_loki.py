"""The loki source: what is counted, which lines are told, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pydantic
import pytest
from aiohttp import web

from responder.access import Basic
from responder.investigation.evidence import Evidence, Status
from responder.source import Topology
from responder.sources.loki import Explore, LokiSource
from tests.responder.sources.far_end import NOW, FarEnd, hang, question
from toolkit.secrets import Secret

PATH = "/loki/api/v1/query_range"
STREAMS = {"chat": '{app="chat"}'}
START, FIRED = NOW - 60 - 1800, NOW - 60
BEGAN = FIRED - 300
"""The window of the questions, and when errors begin in the answers."""


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


def matrix(asked: Mapping[str, str], per_bucket: Any) -> dict[str, Any]:
    """Answer a count: so many in the bucket that ends at each time."""
    start, end = (int(asked[name]) / 1e9 for name in ("start", "end"))
    step = float(asked["step"].removesuffix("s"))
    times = [start + step * n for n in range(round((end - start) / step) + 1)]
    values = [[at, str(per_bucket(at))] for at in times if per_bucket(at)]
    result = [{"metric": {}, "values": values}] if values else []
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def streams(*lines: tuple[float, str]) -> dict[str, Any]:
    """Answer with lines."""
    values = [[str(int(at * 1e9)), text] for at, text in lines]
    result = [{"stream": {"app": "chat"}, "values": values}] if values else []
    return {"status": "success", "data": {"resultType": "streams", "result": result}}


BEFORE = [(START + 100 * n, f"ERROR cannot reach 10.0.0.{n}:80 in {n} ms") for n in range(1, 5)]
SINCE = [
    *((BEGAN + 10 + n, f"ERROR cannot reach 10.0.1.{n}:80 in {n} ms") for n in range(1, 30)),
    *(
        (BEGAN + 5 + n, f"panic: \x1b[31mslot {n} lost\x1b[0m password=hunter2hunter")
        for n in (1, 2)
    ),
    (
        BEGAN + 9,
        json.dumps({"ts": "2026-01-01", "level": "error", "msg": "no", "err": "disk full"}),
    ),
]


def answer(asked: Mapping[str, str]) -> Any:
    """Answer as a Loki in which one error a hundred seconds become thirty at `BEGAN`."""
    if asked["query"].startswith("sum("):
        if "|~" not in asked["query"]:
            return matrix(asked, lambda _: 50)
        return matrix(asked, lambda at: 6 if at > BEGAN else 0)
    return streams(*(BEFORE if asked["direction"] == "backward" else SINCE))


async def gathered(far: FarEnd, session: aiohttp.ClientSession, **settings: Any) -> Evidence:
    """Ask about one component."""
    deadline = settings.pop("deadline_seconds", 5.0)
    source = LokiSource(url=far.url, **{"streams": STREAMS, **settings})
    (found,) = (await source.gather(question(session, deadline_seconds=deadline))).evidence
    return found


def value(found: Evidence, name: str) -> float:
    """Return the one quantity of this name."""
    (quantity,) = (each for each in found.quantities if each.name == name)
    return quantity.value


async def test_errors_are_counted_before_and_since_their_own_departure(
    session: aiohttp.ClientSession,
) -> None:
    """The counts are cut where the error lines depart, within one bucket, before the alert."""
    async with FarEnd(answers={PATH: answer}) as far:
        found = await gathered(far, session)
    assert (found.status, found.component) == (Status.OK, "chat")
    assert abs(value(found, "counted apart at") - BEGAN) <= 21
    assert value(found, "error lines before") == 0
    assert value(found, "error lines since") > 80
    assert value(found, "error rate since") == pytest.approx(6 / 21, rel=0.05)
    assert value(found, "lines before") > 3000
    assert found.window.end == NOW
    assert 'app="chat"' in found.query
    assert found.query.startswith("sum(count_over_time(")


async def test_new_and_risen_templates_are_told_clean(session: aiohttp.ClientSession) -> None:
    """New ones first, then what comes more often; numbers joined, colours and secrets gone."""
    async with FarEnd(answers={PATH: answer}) as far:
        found = await gathered(far, session)
    told = [found.facts[f"log {n} excerpt"] for n in (1, 2, 3)]
    assert told[0].startswith("new, 2 lines, first at ")
    assert "panic: slot 1 lost password=<assigned#" in told[0]
    assert told[1].endswith(": no: disk full")
    assert "as often, 29 lines" in told[2]
    assert "log 4 excerpt" not in found.facts
    assert "hunter2" not in found.model_dump_json()
    assert "\x1b" not in str(found.facts)
    assert value(found, "log 3 lines") == 29


async def test_what_is_asked(session: aiohttp.ClientSession) -> None:
    """The selector and the pattern as strings of LogQL, both sides of the cut, and the limit."""
    async with FarEnd(answers={PATH: answer}) as far:
        found = await gathered(far, session, errors='"quoted" \\d+', max_lines=77)
    lines = [asked for _, asked in far.asked if "limit" in asked]
    assert {asked["query"] for asked in lines} == {'{app="chat"} |~ "\\"quoted\\" \\\\d+"'}
    assert {asked["limit"] for asked in lines} == {"77"}
    before, since = sorted(lines, key=lambda each: each["direction"])
    assert before["end"] == since["start"]
    assert int(since["end"]) == NOW * 1e9
    assert found.facts["origin"] == "loki"


async def test_a_full_side_is_said_to_be_cut(session: aiohttp.ClientSession) -> None:
    """No more lines are taken than asked for, and the evidence says so."""
    async with FarEnd(answers={PATH: answer}) as far:
        found = await gathered(far, session, max_lines=3)
    assert found.detail == "only 3 lines were read of what was logged before and since"
    assert found.status is Status.OK


async def test_credentials_and_tenant(session: aiohttp.ClientSession) -> None:
    """A user and the tenant's header go with every question."""
    secret = Secret(place="test", value="pässword")
    user = Basic(username="vigie", password=secret)
    async with FarEnd(answers={PATH: answer}) as far:
        await gathered(far, session, basic=user, headers={"X-Scope-OrgID": "t1"})
    expected = "Basic " + base64.b64encode("vigie:pässword".encode()).decode()
    assert {each["Authorization"] for each in far.headers} == {expected}
    assert {each["X-Scope-OrgID"] for each in far.headers} == {"t1"}


async def test_it_opens_in_grafana(session: aiohttp.ClientSession) -> None:
    """The link holds the query, the data source and the window."""
    async with FarEnd(answers={PATH: answer}) as far:
        explore = Explore(url="https://g.example/", datasource="logs")
        found = await gathered(far, session, grafana=explore)
    parts = urlsplit(found.link)
    (pane,) = json.loads(parse_qs(parts.query)["panes"][0]).values()
    assert (parts.netloc, parts.path) == ("g.example", "/explore")
    assert pane["queries"][0]["expr"].startswith('{app="chat"} |~ ')
    assert pane["range"]["to"] == str(int(NOW * 1000))


async def test_no_line_at_all_is_empty_and_no_error_is_not(session: aiohttp.ClientSession) -> None:
    """A silent stream shows nothing; one without errors shows that."""
    quiet = {PATH: lambda asked: matrix(asked, lambda _: 0)}
    async with FarEnd(answers=quiet) as far:
        assert (await gathered(far, session)).status is Status.EMPTY
    calm = {PATH: lambda asked: matrix(asked, lambda _: 0 if "|~" in asked["query"] else 5)}
    async with FarEnd(answers=calm) as far:
        found = await gathered(far, session)
    assert found.status is Status.OK
    assert value(found, "error lines since") == 0
    assert not any("excerpt" in name for name in found.facts)


def redirect(_: Any) -> web.Response:
    """Lead elsewhere."""
    return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})


GARBAGE: tuple[Any, ...] = (
    {},
    [],
    "x",
    {"status": "success"},
    {"status": "success", "data": {"resultType": "vector", "result": []}},
    {"status": "success", "data": {"resultType": "matrix", "result": [{"values": [[1]]}]}},
    {"status": "success", "data": {"resultType": "matrix", "result": [{"values": 5}]}},
    {"status": "success", "data": {"resultType": "matrix", "result": 7}},
)


@pytest.mark.parametrize("body", GARBAGE)
async def test_garbage_is_failed(session: aiohttp.ClientSession, body: Any) -> None:
    """What is not of the API's shape is failed, with a reason."""
    async with FarEnd(answers={PATH: lambda _: body}) as far:
        found = await gathered(far, session)
    assert found.status is Status.FAILED
    assert found.detail


@pytest.mark.parametrize(
    ("reply", "status", "told"),
    [
        (redirect, Status.FAILED, "redirects (302) to http://169.254.169.254/"),
        (lambda _: web.Response(status=500, text="ring is empty"), Status.FAILED, "500: ring is"),
        (lambda _: web.Response(status=429, text="slow down"), Status.FAILED, "429"),
        (lambda _: web.Response(text="<html>"), Status.FAILED, "cannot be read"),
        (lambda _: web.Response(body=b"[" * 70_000), Status.FAILED, "larger than 65536 bytes"),
        (hang, Status.UNAVAILABLE, "no answer within the deadline"),
    ],
)
async def test_a_misbehaving_loki(
    session: aiohttp.ClientSession, reply: Any, status: Status, told: str
) -> None:
    """Each way to go wrong has its status and its words; none raises."""
    async with FarEnd(answers={PATH: reply}) as far:
        found = await gathered(far, session, max_bytes=65_536, deadline_seconds=0.5)
    assert (found.status, found.component) == (status, "chat")
    assert told in found.detail


async def test_a_trickle_ends_at_the_deadline(session: aiohttp.ClientSession) -> None:
    """An answer that never ends is unavailable when the time is over."""

    async def trickle(_: Any) -> web.Response:
        await asyncio.sleep(0.2)
        return web.Response(body=_endless())

    async with FarEnd(answers={PATH: trickle}) as far:
        found = await gathered(far, session, deadline_seconds=0.5)
    assert found.status is Status.UNAVAILABLE


async def _endless() -> AsyncIterator[bytes]:
    yield b'{"status": "success", '
    await asyncio.sleep(3600)


async def test_counts_stand_when_the_lines_are_not_to_be_had(
    session: aiohttp.ClientSession,
) -> None:
    """The counts are kept, and what is missing is said."""

    def counts_alone(asked: Mapping[str, str]) -> Any:
        return answer(asked) if "limit" not in asked else web.Response(status=500, text="oops")

    async with FarEnd(answers={PATH: counts_alone}) as far:
        found = await gathered(far, session)
    assert found.status is Status.OK
    assert found.detail == "the lines themselves were not read: answered 500: oops"
    assert value(found, "error lines since") > 80


async def test_warnings_are_passed_on(session: aiohttp.ClientSession) -> None:
    """A partial answer is told to be one."""
    partial = {PATH: lambda asked: {**answer(asked), "warnings": ["one ingester is away"]}}
    async with FarEnd(answers=partial) as far:
        found = await gathered(far, session)
    assert found.detail == "partial: one ingester is away"


async def test_nobody_there(session: aiohttp.ClientSession) -> None:
    """A refused connection and a secret that is gone are unavailable."""
    source = LokiSource(url="http://127.0.0.1:1", streams=STREAMS)
    (found,) = (await source.gather(question(session))).evidence
    assert found.status is Status.UNAVAILABLE


async def test_components_by_a_label(session: aiohttp.ClientSession) -> None:
    """Those of the topology and the alert's own are asked for by a label, the alert's first."""
    labels = {"alertname": "Slow", "service": 'o"dd'}
    async with FarEnd(answers={PATH: answer}) as far:
        source = LokiSource(url=far.url, component_label="app", max_components=2)
        found = (await source.gather(question(session, labels=labels))).evidence
    assert [each.component for each in found] == ['o"dd', "door"]
    assert '{app="o\\"dd"}' in found[0].query


async def test_no_component_is_told(session: aiohttp.ClientSession) -> None:
    """With a label and nobody to ask about, the answer is empty, not silence."""
    asked = question(session, labels={"alertname": "x"})
    source = LokiSource(url="http://127.0.0.1:1", component_label="app")
    bare = replace(asked, topology=Topology())
    (found,) = (await source.gather(bare)).evidence
    assert found.status is Status.EMPTY


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"streams": {"a": "app=1"}},
        {"streams": {"a": "{}"}},
        {"streams": {"a": '{app="a"} |= "x"'}},
        {"streams": {"a": '{app="a"'}},
        {"streams": STREAMS, "headers": {"authorization": "x"}, "bearer": "SECRET"},
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any]) -> None:
    """No selector, one that is none or has a pipeline, and two credentials."""
    if settings.get("bearer"):
        settings = {**settings, "bearer": Secret(place="test", value="x")}
    with pytest.raises(pydantic.ValidationError):
        LokiSource(url="http://loki", **settings)
