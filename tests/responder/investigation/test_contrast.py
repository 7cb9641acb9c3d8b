"""What other days say of a suspect: asked of a server, and judged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from responder.investigation.contrast import QUESTION
from responder.investigation.disproof import Disproof
from responder.investigation.evidence import CauseKind, Evidence, Status
from responder.investigation.stages import Limits, Stages
from responder.sources.prometheus import PrometheusSource
from tests.responder.investigation.scene import START, TOPOLOGY, Scene
from tests.responder.investigation.test_truths import slow_tokens
from tests.responder.sources.far_end import FarEnd, success

DAY = 86_400.0
USUAL, SLOW = 0.015, 0.075
Past = Callable[[float], float | None]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


def serving(past: Past, **labels: str) -> Callable[[Mapping[str, str]], Any]:
    """Answer a range with the engine's time per token as it was so many days before."""

    def answer(asked: Mapping[str, str]) -> Any:
        start, step = float(asked["start"]), float(asked["step"])
        days = round((START - start) / DAY)
        value = past(days)
        named = {"service": "engine", **labels}
        values = [[start + number * step, str(value)] for number in range(8)]
        series = [{"metric": named, "values": values}] if value is not None else []
        return success({"resultType": "matrix", "result": series})

    return answer


async def disproved(
    answer: Callable[[Mapping[str, str]], Any], session: aiohttp.ClientSession
) -> tuple[Disproof, Evidence, FarEnd]:
    """Slow the engine's tokens, and ask what other days say of that."""
    scene = Scene()
    incident = scene.incident(*slow_tokens(scene))
    gathered = scene.gathered(incident)
    async with FarEnd(answers={"/api/v1/query_range": answer}) as far:
        made = Stages(
            sources=(PrometheusSource(url=far.url),),
            topology=TOPOLOGY,
            analysts=(),
            session=session,
            limits=replace(Limits(), gather_seconds=2.0),
            clock=lambda: START,
        )
        ranked = made.rank(incident, gathered, ())
        disproofs, evidence = await made.disprove(incident, gathered, ranked)
    asked = [each for each in disproofs if each.question == QUESTION]
    assert (asked[0].suspect, asked[0].kind) == ("engine", CauseKind.SLOW_ENGINE)
    assert evidence[0].id == f"E{len(gathered.evidence) + 1}"
    return asked[0], evidence[0], far


async def test_what_was_otherwise_yesterday_stands(session: aiohttp.ClientSession) -> None:
    """The engine was quick at this time yesterday and a week ago: nothing speaks against it."""
    disproof, evidence, far = await disproved(serving(lambda _: USUAL), session)
    assert disproof.held is True
    assert evidence.status is Status.OK
    assert "at this time a day before, and is" in disproof.text
    assert evidence.quantities[0].value == USUAL
    starts = {float(asked["start"]) for _, asked in far.asked}
    assert {round((START - each) / DAY) for each in starts} == {1, 7}
    assert {asked["query"] for _, asked in far.asked} >= {evidence.query}


@pytest.mark.parametrize("bad_day", [1, 7])
async def test_what_is_so_every_day_or_week_is_no_cause(
    session: aiohttp.ClientSession, bad_day: int
) -> None:
    """As slow at this time of another day: what it does by the clock is not what is new."""
    past = serving(lambda days: SLOW if days == bad_day else USUAL)
    disproof, evidence, _ = await disproved(past, session)
    assert disproof.held is False
    assert disproof.evidence == evidence.id
    assert evidence.quantities[0].value == SLOW
    assert evidence.window.end < START - (bad_day - 1) * DAY


async def test_without_a_past_it_is_not_known(session: aiohttp.ClientSession) -> None:
    """No data is no answer, and says so in the ledger."""
    disproof, evidence, _ = await disproved(serving(lambda _: None), session)
    assert (disproof.held, disproof.text) == (None, "no data of other days")
    assert evidence.status is Status.EMPTY


async def test_a_series_that_is_not_told_apart_says_nothing(
    session: aiohttp.ClientSession,
) -> None:
    """Another component's series is not the suspect's."""
    disproof, _, _ = await disproved(serving(lambda _: SLOW, service="another"), session)
    assert disproof.held is None


async def test_a_server_that_fails_is_told_and_changes_nothing(
    session: aiohttp.ClientSession,
) -> None:
    """Its own words are in the ledger."""

    def broken(_: Mapping[str, str]) -> Any:
        return {"status": "error", "errorType": "execution", "error": "out of memory"}

    disproof, evidence, _ = await disproved(broken, session)
    assert disproof.held is None
    assert evidence.status is Status.FAILED
    assert "out of memory" in evidence.detail
