"""The prometheus source against a real server: shapes, limits, and everything that can go wrong."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from typing import Any

import aiohttp
import promql_parser
import pytest
from aiohttp import web

from responder.investigation.evidence import CLOCK, Status
from responder.source import Finding
from responder.sources.prometheus import PrometheusSource
from tests.responder.sources.far_end import NOW, FarEnd, hang, question, success, vector


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


def targets(interval: str = "5s") -> dict[str, Any]:
    """Answer /api/v1/targets with one healthy and one sick scrape."""
    return success(
        {
            "activeTargets": [
                {
                    "labels": {"service": "engine", "job": "m"},
                    "health": "up",
                    "lastError": "",
                    "scrapeInterval": interval,
                },
                {
                    "labels": {"service": "door", "job": "m"},
                    "health": "down",
                    "lastError": "connection refused",
                    "scrapeInterval": interval,
                },
            ]
        }
    )


def instant(asked: Mapping[str, str]) -> Any:
    """Answer instant queries: target information, names of metrics, states."""
    query = asked["query"]
    if "vigie_target_info" in query:
        return vector(({"target": "chat", "label_service": "engine"}, 1))
    if query.startswith("count by (__name__)"):
        names = ["http_requests_total", "vllm:num_requests_waiting", "x_sum", "x_count", "x_bucket"]
        return vector(*(({"__name__": name}, 3) for name in names))
    return vector()


def ranged(asked: Mapping[str, str]) -> Any:
    """Answer range queries on the grid that was asked for, with a status label on counters."""
    start, end, step = (float(asked[key]) for key in ("start", "end", "step"))
    times = [start + n * step for n in range(round((end - start) / step) + 1)]
    labels = [{"service": "engine"}, {"service": "door"}]
    if "http_requests_total" in asked["query"]:
        labels = [{"service": "engine", "code": code} for code in ("200", "503")]
    result = [{"metric": each, "values": [[at, "2.5"] for at in times]} for each in labels]
    return success({"resultType": "matrix", "result": result})


def healthy() -> dict[str, Any]:
    """Answer as a Prometheus that is well."""
    rule = {"name": "Slow", "query": 'a{target="chat"} > 5', "duration": 10, "labels": {}}
    return {
        "/api/v1/targets": lambda _: targets(),
        "/api/v1/rules": lambda _: success({"groups": [{"rules": [rule]}]}),
        "/api/v1/metadata": lambda _: success({"http_requests": [{"type": "counter"}]}),
        "/api/v1/query": instant,
        "/api/v1/query_range": ranged,
    }


async def gathered(
    answers: Mapping[str, Any], session: aiohttp.ClientSession, **more: Any
) -> Finding:
    """Ask a server that answers like this."""
    async with FarEnd(answers=answers) as far:
        source = PrometheusSource(url=far.url, **more)
        return await source.gather(question(session, deadline_seconds=2.0))


async def test_series_become_columns_with_their_evidence(session: aiohttp.ClientSession) -> None:
    """Each component's series is a column that points at evidence with its query."""
    finding = await gathered(healthy(), session)
    assert finding.frame is not None
    for labels in finding.frame.labels:
        evidence = finding.evidence[int(labels["__evidence__"])]
        assert evidence.status is Status.OK
        assert evidence.query
        promql_parser.parse(evidence.query)
    roles = {(each["component"], each["__role__"]) for each in finding.frame.labels}
    assert ("engine", "error_ratio") in roles
    assert ("door", "queue") in roles


async def test_a_status_label_becomes_a_ratio(session: aiohttp.ClientSession) -> None:
    """Half of the answers are 503: the error ratio is one half, and the total is both."""
    finding = await gathered(healthy(), session)
    assert finding.frame is not None
    values = {
        each["__role__"]: float(finding.frame.values[-1, index])
        for index, each in enumerate(finding.frame.labels)
        if each["__name__"] == "http_requests_total"
    }
    assert values["error_ratio"] == 0.5
    assert values["traffic"] == 5.0


async def test_step_and_rate_window_follow_the_scrape_interval(
    session: aiohttp.ClientSession,
) -> None:
    """A server scraped every 5 s is read every 5 s, with rates over four scrapes."""
    async with FarEnd(answers=healthy()) as far:
        await PrometheusSource(url=far.url).gather(question(session))
    ranges = [asked for path, asked in far.asked if path == "/api/v1/query_range"]
    assert ranges
    assert {asked["step"] for asked in ranges} == {"5.000"}
    assert any("[20s]" in asked["query"] for asked in ranges)


async def test_the_interval_is_read_off_samples_where_targets_are_unknown(
    session: aiohttp.ClientSession,
) -> None:
    """Thanos and Mimir have no targets: the spacing of raw samples tells the interval."""

    def answer(asked: Mapping[str, str]) -> Any:
        if asked["query"].endswith("[10m]") and "vigie_probe_success" in asked["query"]:
            values = [[NOW - 70 + 7 * n, "1"] for n in range(10)]
            series = [{"metric": {}, "values": values}]
            return success({"resultType": "matrix", "result": series})
        return instant(asked)

    answers = {**healthy(), "/api/v1/query": answer}
    del answers["/api/v1/targets"]
    async with FarEnd(answers=answers) as far:
        await PrometheusSource(url=far.url).gather(question(session))
    steps = {asked["step"] for path, asked in far.asked if path == "/api/v1/query_range"}
    assert steps == {"7.000"}


async def test_every_query_sent_is_promql_whatever_the_labels(
    session: aiohttp.ClientSession,
) -> None:
    """Quotes, backslashes, braces and line ends in labels reach the server as labels only."""
    hostile = 'c"} or vector(1) or x{y="\\\n'
    async with FarEnd(answers=healthy()) as far:
        source = PrometheusSource(url=far.url)
        labels = {"alertname": hostile, "target": hostile, "service": hostile, "job": hostile}
        await source.gather(question(session, labels=labels))
    queries = [asked["query"] for _, asked in far.asked if "query" in asked]
    assert any("vigie" in query for query in queries)
    for query in queries:
        promql_parser.parse(query)
        assert "vector" not in re.sub(r'"(?:\\.|[^"\\])*"', "", query)


async def test_nothing_there_is_unavailable(session: aiohttp.ClientSession) -> None:
    """A server that cannot be reached leaves one piece of evidence that says so."""
    source = PrometheusSource(url="http://127.0.0.1:1")
    finding = await source.gather(question(session))
    assert [each.status for each in finding.evidence] == [Status.UNAVAILABLE]
    assert finding.frame is None


async def test_a_server_that_hangs_ends_at_the_deadline(session: aiohttp.ClientSession) -> None:
    """Everything hangs: the deadline of the whole ends it."""
    answers = dict.fromkeys(healthy(), hang)
    finding = await gathered(answers, session, timeout=0.3)
    assert {each.status for each in finding.evidence} == {Status.UNAVAILABLE}


async def test_slow_ranges_leave_what_came_in_time(session: aiohttp.ClientSession) -> None:
    """Only range queries hang: what was answered before them is there, the rest unavailable."""
    finding = await gathered({**healthy(), "/api/v1/query_range": hang}, session, timeout=0.5)
    statuses = {each.status for each in finding.evidence}
    assert {Status.OK, Status.UNAVAILABLE} <= statuses


async def test_an_error_inside_a_200_is_a_failure(session: aiohttp.ClientSession) -> None:
    """A body that says error is failed, with its text, although the status is 200."""
    error = {"status": "error", "errorType": "execution", "error": "too many samples"}
    finding = await gathered({**healthy(), "/api/v1/query_range": lambda _: error}, session)
    failed = [each for each in finding.evidence if each.status is Status.FAILED]
    assert failed
    assert all("too many samples" in each.detail for each in failed)
    assert finding.frame is None


async def test_a_partial_answer_says_so(session: aiohttp.ClientSession) -> None:
    """Warnings beside data are kept as the evidence's detail."""

    def partial(asked: Mapping[str, str]) -> Any:
        return {**ranged(asked), "warnings": ["store gone"]}

    finding = await gathered({**healthy(), "/api/v1/query_range": partial}, session)
    assert any("partial: store gone" in each.detail for each in finding.evidence)
    assert finding.frame is not None


async def test_redirects_are_not_followed(session: aiohttp.ClientSession) -> None:
    """A redirect is a failure that names where it leads."""

    def away(_: Any) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})

    finding = await gathered(dict.fromkeys(healthy(), away), session)
    assert any("redirects (302)" in each.detail for each in finding.evidence)
    assert not any(each.status is Status.OK for each in finding.evidence)


async def test_a_huge_answer_is_cut_off(session: aiohttp.ClientSession) -> None:
    """An answer over the limit is failed, not read to its end."""

    def huge(_: Any) -> web.Response:
        return web.Response(body=b"x" * 100_000)

    answers = {**healthy(), "/api/v1/query_range": huge}
    finding = await gathered(answers, session, max_bytes=20_000)
    assert any("larger than 20000 bytes" in each.detail for each in finding.evidence)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"status": "success"},
        {"status": "success", "data": None},
        {"status": "success", "data": {"result": [], "resultType": "scalar"}},
        {"status": "success", "data": {"result": [{"values": 3}], "resultType": "matrix"}},
        {"status": "success", "data": {"result": [7], "resultType": "matrix"}},
        {"status": "success", "data": {"result": [{"metric": 1}], "resultType": "vector"}},
        {"status": "success", "data": {"activeTargets": [1, {"labels": 2}], "groups": [3]}},
    ],
)
async def test_answers_of_another_shape_never_raise(
    session: aiohttp.ClientSession, body: Any
) -> None:
    """Whatever JSON comes back, there is evidence and no exception."""
    finding = await gathered(dict.fromkeys(healthy(), lambda _: body), session)
    assert finding.evidence
    assert finding.frame is None


async def test_series_over_the_limit_are_cut_and_told(session: aiohttp.ClientSession) -> None:
    """With room for two series, two are kept and the evidence says that more were left out."""
    finding = await gathered(healthy(), session, max_series=2)
    assert finding.frame is not None
    assert finding.frame.values.shape[1] <= 2


async def test_credentials_and_headers_are_sent(session: aiohttp.ClientSession) -> None:
    """A tenant header goes with every question."""
    async with FarEnd(answers=healthy()) as far:
        source = PrometheusSource(url=far.url, headers={"X-Scope-OrgID": "team"})
        await source.gather(question(session))
    assert {each.get("X-Scope-OrgID") for each in far.headers} == {"team"}


@pytest.mark.parametrize(("ahead_seconds", "way"), [(200, "ahead of"), (-200, "behind")])
async def test_a_clock_that_differs_is_told_and_gone_by(
    session: aiohttp.ClientSession, ahead_seconds: float, way: str
) -> None:
    """The window ends at Prometheus's own now, and the evidence says how far that is from ours."""

    def dated(answer: Any) -> Any:
        def told(asked: Mapping[str, str]) -> web.Response:
            date = formatdate(time.time() + ahead_seconds, usegmt=True)
            return web.json_response(answer(asked), headers={"Date": date})

        return told

    answers = {path: dated(answer) for path, answer in healthy().items()}
    async with FarEnd(answers=answers) as far:
        found = await PrometheusSource(url=far.url).gather(question(session))
    (clock,) = (each for each in found.evidence if each.title == CLOCK)
    assert abs(clock.quantities[0].value - ahead_seconds) <= 2
    assert f" {way} the responder's" in clock.detail
    ends = {float(asked["end"]) for path, asked in far.asked if path == "/api/v1/query_range"}
    assert ends
    assert all(abs(end - (NOW + ahead_seconds)) <= 20 for end in ends), ends


async def test_a_clock_that_is_ours_is_not_spoken_of(session: aiohttp.ClientSession) -> None:
    """A second or two is no difference."""
    found = await gathered(healthy(), session)
    assert not [each for each in found.evidence if each.title == CLOCK]
