"""The checker finds what is there, and misses nothing that is not."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from lab.report_checker import check, ledger
from toolkit.rereading import claims, marks, unfounded

AT = 1_700_000_000.0  # 22:13:20 UTC


def quantity(name: str, value: float, unit: str) -> dict[str, Any]:
    """Make a quantity as the API gives it."""
    return {"name": name, "value": value, "unit": unit, "labels": {}, "at": None}


def incident(text: str, *quantities: dict[str, Any], link: str = "") -> dict[str, Any]:
    """Make an incident with one claim on one piece of evidence."""
    evidence = {
        "id": "E1",
        "source": "prometheus",
        "title": "chat 0.11.2: time per request",
        "status": "ok",
        "component": "chat",
        "facts": {"version": "1.5.0"},
        "quantities": list(quantities),
        "link": link,
    }
    report = {
        "summary": [{"text": text, "evidence": ["E1"]}],
        "ruled_out": [],
        "causes": [],
        "timeline": [],
        "coverage": [{"source": "prometheus", "title": "", "status": "ok", "evidence": "E1"}],
    }
    return {"report": report, "evidence": [evidence]}


FOUND = [
    ("it takes 312 ms", quantity("now", 0.31249, "seconds")),
    ("it takes 2.5 min", quantity("now", 150.4, "seconds")),
    ("12.3 % fail", quantity("now", 0.1234, "ratio")),
    ("9.02/s", quantity("now", 9.0166, "per_second")),
    ("1.9x", quantity("times as much", 1.88, "ratio")),
    ("512 MB", quantity("now", 511.9e6, "bytes")),
    ("3 requests wait", quantity("now", 3.0, "count")),
    ("since 22:13:20", quantity("moved at", AT + 0.4, "timestamp")),
    ("ends on 2023-11-14 22:13 UTC", quantity("ends", AT, "timestamp")),
    ("runs version 1.5.0", quantity("now", 1.0, "")),
]
WRONG = [
    ("it takes 322 ms", quantity("now", 0.31249, "seconds")),
    ("it takes 312 s", quantity("now", 0.31249, "seconds")),
    ("15 % fail", quantity("now", 0.1234, "ratio")),
    ("9.02 %", quantity("now", 9.0166, "per_second")),
    ("2.9x", quantity("times as much", 1.88, "ratio")),
    ("512 kB", quantity("now", 511.9e6, "bytes")),
    ("4 requests wait", quantity("now", 3.0, "count")),
    ("since 22:14:20", quantity("moved at", AT, "timestamp")),
    ("ends on 2023-12-14 22:13 UTC", quantity("ends", AT, "timestamp")),
    ("answered 503", quantity("now", 500.0, "")),
]


@pytest.mark.parametrize(("text", "known"), FOUND, ids=[text for text, _ in FOUND])
async def test_a_number_in_the_evidence_is_found(text: str, known: dict[str, Any]) -> None:
    """In each unit, and as it is rounded in print."""
    async with aiohttp.ClientSession() as session:
        checked = await check(incident(text, known), session, ["prometheus"])
    assert checked.problems == ()
    assert checked.numbers == len(list(marks(text))) > 0 or "version" in text


@pytest.mark.parametrize(("text", "known"), WRONG, ids=[text for text, _ in WRONG])
async def test_a_number_that_is_not_there_is_told(text: str, known: dict[str, Any]) -> None:
    """A wrong value, a wrong unit, a wrong time: each is named with its sentence."""
    async with aiohttp.ClientSession() as session:
        checked = await check(incident(text, known), session, ["prometheus"])
    assert len(checked.problems) == 1
    assert text in checked.problems[0]


async def test_spans_between_times_are_found() -> None:
    """How long one thing came before another is in no quantity, but in two."""
    times = quantity("onset", AT, "timestamp"), quantity("changed at", AT - 42, "timestamp")
    async with aiohttp.ClientSession() as session:
        assert not (await check(incident("42 s before", *times), session, [])).problems
        assert (await check(incident("52 s before", *times), session, [])).problems


def test_what_is_quoted_is_no_number() -> None:
    """A text from outside is repeated, not claimed."""
    assert not list(marks('it fails with "server returned 503"'))


async def test_what_is_cited_must_be_there() -> None:
    """An id without evidence is told."""
    given = incident("all is well")
    given["report"]["summary"][0]["evidence"] = ["E7"]
    assert list(claims(given["report"])) == [("all is well", ["E7"])]
    async with aiohttp.ClientSession() as session:
        checked = await check(given, session, [])
    assert checked.problems == ("cites E7, which there is not: all is well",)


@pytest.mark.parametrize(("status", "problems"), [(200, 0), (404, 1), (302, 1), (500, 1)])
async def test_every_link_is_opened(
    aiohttp_server: AiohttpServer, status: int, problems: int
) -> None:
    """A link that does not open is told, and a graph is asked for by its expression."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    url = str((await aiohttp_server(app)).make_url("/p/graph?g0.expr=up%3D%3D0"))
    async with aiohttp.ClientSession() as session:
        checked = await check(incident("fine", link=url), session, [])
    assert (checked.links, len(checked.problems)) == (1, problems)
    assert asked == ["/p/api/v1/query?query=up%3D%3D0"]


def test_the_ledger_accounts_for_everything() -> None:
    """Missing evidence, another status and a source that is not told of are each a problem."""
    given = incident("fine")
    evidence = {each["id"]: each for each in given["evidence"]}
    assert not list(ledger(given["report"], evidence, ["prometheus"]))
    assert len(list(ledger(given["report"], evidence, ["prometheus", "loki"]))) == 1
    evidence["E1"]["status"] = "failed"
    assert len(list(ledger(given["report"], evidence, []))) == 1
    given["report"]["coverage"] = []
    assert len(list(ledger(given["report"], evidence, []))) == 1


def test_a_name_that_the_cited_evidence_lacks_is_found() -> None:
    """Names that the incident knows; what is quoted is a text."""
    made = incident("gateway is slow, 'scorer' is not named by \"scorer\"")
    evidence = {each["id"]: each for each in made["evidence"]}
    evidence["E2"] = {**evidence["E1"], "id": "E2", "component": "gateway", "title": "gateway"}
    (problem,) = unfounded(made["report"], evidence)
    assert problem.startswith("'gateway' is in none of E1")
    made["report"]["summary"][0]["evidence"] = ["E2"]
    assert unfounded(made["report"], evidence) == []
