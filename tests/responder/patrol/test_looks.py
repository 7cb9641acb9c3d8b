"""Each look, on a real Prometheus with a past that was made for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from responder.patrol.concern import Concern
from responder.patrol.look import Ground, UnseenError, looks
from responder.patrol.round import look_around
from responder.sources.prometheus import PrometheusSource
from tests.responder.patrol.conftest import DAY, HOUR, WEEK, Past

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What each look must say, and by saying no more, what it must not.
SAID = {
    "latency": {
        "slow": "serious: time per run of slow is 320 ms, and was 200 ms 1 week before (1.6x)",
        "restarted": "serious: time per run of restarted is 320 ms, and was 200 ms 1 week before",
        "slower": "note: time per run of slower is 260 ms, and was 200 ms 1 week before (1.3x)",
        "young": "serious: time per run of young is 320 ms, and was 200 ms 1 day before (1.6x)",
    },
    "canaries": {
        "sliding": "note: chat: canary sliding passes 90 % of its runs, 100 % 1 week before",
        "falling": "serious: chat: canary falling passes 75 % of its runs, 100 % 1 week before",
    },
    "queues": {
        "chat": "serious: chat: 45 requests wait, 15 earlier; no past to compare",
        "draft": "note: draft: 6 requests wait, 2 earlier; no past to compare",
    },
    "certificates": {"soon": "note: soon: its certificate ends in 40.0 days"},
    "retirements": {"chat": "note: chat: model old-2407 is retired in 60.0 days"},
    "tokens": {"spendthrift": "note: spendthrift: its tokens last "},
    "errors": {
        "leaky": "note: leaky: a day like this uses 6.67 % of its error budget of 30 days,"
        " which lasts 15 days",
    },
    "unwatched": {"forgotten": "note: forgotten: nobody probes it any more"},
    "juniors": {"edge": "serious: edge: 1 of 2 juniors are silent: edge-1:10917"},
}


async def ground(session: aiohttp.ClientSession, past: Past) -> Ground:
    """Stand on the past."""
    api = await PrometheusSource(url=past.url).api(session, 30.0)
    return Ground(apis=[api], now=past.now, window_seconds=HOUR, compare_with_seconds=(WEEK, DAY))


def said(found: Mapping[str, Concern]) -> dict[str, str]:
    """Give what was said, by what tells the concerns of a look apart."""
    names = ("canary", "service", "target", "job")
    return {
        next(
            each.labels[name] for name in names if name in each.labels
        ): f"{each.grade}: {each.text}"
        for each in found.values()
    }


@pytest.mark.parametrize("name", sorted(looks))
async def test_a_look_says_what_is_there_and_no_more(name: str, past: Past) -> None:
    """What lasts and is large enough is said with its figures; noise, gaps and resets are not."""
    async with aiohttp.ClientSession() as session:
        found = {each.key: each for each in await looks[name](await ground(session, past))}
    told = said(found)
    assert sorted(told) == sorted(SAID[name])
    for about, text in SAID[name].items():
        assert told[about].startswith(text)


async def test_a_round_takes_every_look(past: Past) -> None:
    """What all looks find is seen in one round, and each concern has a key of its own."""
    async with aiohttp.ClientSession() as session:
        view = await look_around(await ground(session, past), looks, 30.0)
    assert view.unseen == {}
    assert len(view.seen.concerns) == sum(len(each) for each in SAID.values())


async def test_two_prometheis_say_it_once(past: Past) -> None:
    """A pair that has the same says it once; one that is gone leaves the other's word."""
    async with aiohttp.ClientSession() as session:
        one = await ground(session, past)
        gone = await PrometheusSource(url="http://127.0.0.1:1").api(session, 5.0)
        pair = Ground(
            apis=[*one.apis, *one.apis, gone],
            now=one.now,
            window_seconds=one.window_seconds,
            compare_with_seconds=one.compare_with_seconds,
        )
        assert await looks["latency"](pair) == await looks["latency"](one)


async def test_a_prometheus_that_is_gone_is_said(past: Past) -> None:
    """Every look is blind then, with the reason, and finds nothing."""
    async with aiohttp.ClientSession() as session:
        blind = await ground(session, Past(url="http://127.0.0.1:1", now=past.now))
        view = await look_around(blind, looks, 30.0)
    assert view.seen.concerns == {}
    assert sorted(view.unseen) == sorted([*looks, "alerts"])
    assert {"cannot connect" in problem for problem in view.unseen.values()} == {True}


async def test_a_look_that_hangs_holds_up_no_other(past: Past) -> None:
    """It is given up at the deadline, and the others are heard."""

    async def hangs(_: Ground) -> list[Concern]:
        await asyncio.Event().wait()
        return []

    async def fails(_: Ground) -> list[Concern]:
        raise RuntimeError("secret of the house")

    chosen = {"hangs": hangs, "fails": fails, "latency": looks["latency"]}
    async with aiohttp.ClientSession() as session:
        view = await look_around(await ground(session, past), chosen, 1.0)
    assert view.unseen["hangs"] == "no answer within 1 s"
    assert view.unseen["fails"] == "a fault of ours (RuntimeError)"
    assert len(view.seen.concerns) == len(SAID["latency"])


@pytest.mark.parametrize(
    "body", ['{"status": "error", "error": "x"}', "<html>", "[]", '{"status":"success","data":{}}']
)
async def test_an_answer_that_is_none_is_not_seen(body: str, past: Past) -> None:
    """Whatever is no answer of the API's makes a look blind, and nothing worse."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        broken = await ground(session, Past(url=str(server.make_url("")), now=past.now))
        for name in looks:
            with pytest.raises(UnseenError):
                await looks[name](broken)


async def test_what_has_no_past_is_said_and_no_finding(past: Past) -> None:
    """A target that is new is named by the look that cannot compare it."""
    async with aiohttp.ClientSession() as session:
        view = await look_around(await ground(session, past), looks, 30.0)
    assert view.remarks == {"latency": ("no past to compare with for 1 series: new",)}


async def test_a_part_that_is_not_seen_is_said(past: Past) -> None:
    """The other Prometheus's word counts; that one gave none is in the report."""
    async with aiohttp.ClientSession() as session:
        one = await ground(session, past)
        gone = await PrometheusSource(url="http://127.0.0.1:1").api(session, 5.0)
        view = await look_around(replace(one, apis=[*one.apis, gone]), looks, 30.0)
    assert view.unseen == {}
    assert sorted(view.remarks) == sorted(looks)
    assert {"cannot connect" in each[0] for each in view.remarks.values()} == {True}


async def test_samples_of_no_shape_are_no_values(past: Past) -> None:
    """A matrix whose values are no pairs fails neither a look nor the question what fires."""
    series = [
        {"metric": {"target": "chat"}, "values": 5},
        {"metric": {"target": "scorer"}, "value": {"a": 1}},
        {"metric": {"target": "edge"}, "value": [1, "NaN"]},
    ]
    body = {"status": "success", "data": {"resultType": "vector", "result": series}}

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        strange = await ground(session, Past(url=str(server.make_url("")), now=past.now))
        view = await look_around(strange, looks, 30.0)
    assert view.unseen == {}
    assert len(view.seen.firing) == 3
    assert {each.look for each in view.seen.concerns.values()} == {"unwatched"}
