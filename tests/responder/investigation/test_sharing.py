"""What investigations under way at once share: asked once, never wrong, never another's."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from responder.investigation import sharing
from responder.investigation.sharing import Moment
from responder.source import Finding
from responder.sources.alertmanager import AlertmanagerSource
from responder.sources.exporter import ExporterSource
from responder.sources.prometheus import PrometheusSource
from tests.responder.sources.far_end import FarEnd, question
from tests.responder.sources.test_prometheus import healthy


class Far:
    """Counts what it is asked, and answers once it may."""

    def __init__(self, *answers: str) -> None:
        """Answer so, the last for ever."""
        self.asked = 0
        self.may_answer = asyncio.Event()
        self._answers = answers

    async def ask(self) -> str:
        """Answer as told."""
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        await self.may_answer.wait()
        return answer


async def once(moment: Moment, far: Far, *, key: str = "key", within: float = 60.0) -> str:
    """Ask, all that is not `bad` being good."""
    until = asyncio.get_running_loop().time() + within
    return await moment.once(key, far.ask, is_good=lambda found: found != "bad", until=until)


async def begun() -> None:
    """Let every task come to where it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_alike_at_once_is_answered_by_one_flight() -> None:
    """Ten ask, one question leaves, and who asks just afterwards has its answer as well."""
    moment, far = Moment(), Far("good")
    asking = [asyncio.create_task(once(moment, far)) for _ in range(10)]
    await begun()
    far.may_answer.set()
    assert set(await asyncio.gather(*asking)) == {"good"}
    assert await once(moment, far) == "good"
    assert far.asked == 1


async def test_a_bad_answer_is_not_kept() -> None:
    """Neither who waited for it nor who comes later is given a bad answer of another's."""
    moment, far = Moment(), Far("bad", "good")
    asking = [asyncio.create_task(once(moment, far)) for _ in range(2)]
    await begun()
    far.may_answer.set()
    assert list(await asyncio.gather(*asking)) == ["bad", "good"]
    assert await once(moment, far) == "good"
    assert far.asked == 3


async def test_a_failure_is_its_askers_own() -> None:
    """Who waited for a question that raised asks itself."""
    moment, far, may_fail = Moment(), Far("good"), asyncio.Event()
    far.may_answer.set()

    async def fail() -> str:
        await may_fail.wait()
        raise OSError("gone")

    failing = asyncio.create_task(moment.once("key", fail, is_good=bool, until=0.0))
    await begun()
    waiting = asyncio.create_task(once(moment, far))
    await begun()
    may_fail.set()
    with pytest.raises(OSError, match="gone"):
        await failing
    assert await waiting == "good"


async def test_a_waiter_goes_by_its_own_deadline() -> None:
    """Its time over, a waiter no longer waits for the other's question, which goes on."""
    moment, far, own = Moment(), Far("good"), Far("too late")
    own.may_answer.set()
    first = asyncio.create_task(once(moment, far))
    await begun()
    assert await once(moment, own, within=0.0) == "too late"
    far.may_answer.set()
    assert await first == "good"


async def test_a_cancelled_asker_does_not_cancel_who_waits() -> None:
    """The one whose question it was is cancelled: who waited for it asks anew."""
    moment, far = Moment(), Far("good")
    first, second = (asyncio.create_task(once(moment, far)) for _ in range(2))
    await begun()
    first.cancel()
    await begun()
    far.may_answer.set()
    assert await second == "good"
    assert first.cancelled()
    assert far.asked == 2


async def test_a_cancelled_waiter_does_not_cancel_the_question() -> None:
    """Who waits is cancelled: the question goes on for the others."""
    moment, far = Moment(), Far("good")
    first, second, third = (asyncio.create_task(once(moment, far)) for _ in range(3))
    await begun()
    second.cancel()
    await begun()
    far.may_answer.set()
    assert list(await asyncio.gather(first, third)) == ["good", "good"]
    assert far.asked == 1


async def test_an_answer_is_kept_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the moment the same question is asked anew."""
    monkeypatch.setattr(sharing, "KEPT_SECONDS", 0.001)
    moment, far = Moment(), Far("old", "new")
    far.may_answer.set()
    assert await once(moment, far) == "old"
    async with asyncio.timeout(10):
        while moment._flights:  # noqa: ASYNC110 - nothing tells that it is forgotten
            await asyncio.sleep(0.001)
    assert await once(moment, far) == "new"


async def test_what_is_forgotten_late_takes_no_newer_flight_along() -> None:
    """Forgetting an answer leaves a newer question of the same key where it is."""
    moment, far = Moment(), Far("good")
    stale: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    first = asyncio.create_task(once(moment, far))
    await begun()
    moment._forget("key", stale)
    second = asyncio.create_task(once(moment, far))
    await begun()
    far.may_answer.set()
    await asyncio.gather(first, second)
    assert far.asked == 1


async def test_it_holds_so_many_answers_and_no_more() -> None:
    """Over the limit questions are asked, and answered, without being kept."""
    moment, far = Moment(), Far("good")
    far.may_answer.set()
    for number in range(sharing.MOST_KEPT + 50):
        assert await once(moment, far, key=str(number)) == "good"
    assert len(moment._flights) == sharing.MOST_KEPT


async def gathered(
    far: FarEnd, moment: Moment, *, labels: Mapping[str, str] | None = None, **more: Any
) -> Finding:
    """Gather once, in this moment."""
    async with aiohttp.ClientSession() as session:
        asked = question(session, labels=labels, moment=moment)
        return await PrometheusSource(url=far.url, **more).gather(asked)


def told(finding: Finding) -> list[dict[str, Any]]:
    """Give the evidence as plain data, without how long it took."""
    return [each.model_dump(mode="json", exclude={"seconds"}) for each in finding.evidence]


def of_components(far: FarEnd) -> int:
    """Count the questions for the components' series."""
    queries = [asked.get("query", "") for _, asked in far.asked]
    return sum("vllm:num_requests_waiting" in each and "service=~" in each for each in queries)


async def test_incidents_share_series_and_nothing_of_their_own() -> None:
    """What one finds after another is what it would have found alone, but for fewer questions."""
    ours, theirs = {"alertname": "Slow", "target": "chat"}, {"alertname": "Dead", "target": "door"}
    async with FarEnd(answers=healthy()) as far:
        alone = [await gathered(far, Moment(), labels=each) for each in (ours, theirs)]
        count, moment = of_components(far), Moment()
        shared = await asyncio.gather(
            *(gathered(far, moment, labels=each) for each in (ours, theirs))
        )
        assert of_components(far) == count + 1
    assert [told(each) for each in shared] == [told(each) for each in alone]
    for one, other in zip(shared, alone, strict=True):
        assert one.frame is not None
        assert other.frame is not None
        assert one.frame.labels == other.frame.labels


async def test_what_is_shared_cannot_be_changed_by_one_for_the_other() -> None:
    """One incident's evidence is changed by force: the next one's is as it was."""
    async with FarEnd(answers=healthy()) as far:
        moment = Moment()
        first = await gathered(far, moment)
        before = copy.deepcopy(told(first))
        for each in first.evidence:
            each.facts.clear()  # type: ignore[attr-defined]
        assert first.frame is not None
        first.frame.values[:] = -1.0
        second = await gathered(far, moment)
    assert told(second) == before
    assert second.frame is not None
    assert (second.frame.values >= 0).all()


@pytest.mark.parametrize(
    "more",
    [{"headers": {"X-Scope-OrgID": "other"}}, {"max_bytes": 1 << 20}, {"max_points": 50}],
    ids=["tenant", "limit", "window"],
)
async def test_tenants_limits_and_windows_share_nothing(more: dict[str, Any]) -> None:
    """A source with another tenant, limit or window of time asks for itself."""
    async with FarEnd(answers=healthy()) as far:
        moment = Moment()
        await gathered(far, moment)
        count = of_components(far)
        await gathered(far, moment, **more)
        assert of_components(far) == 2 * count


@pytest.mark.parametrize("kind", [AlertmanagerSource, ExporterSource])
async def test_other_sources_share_by_address_and_credentials(kind: Any) -> None:
    """Two incidents ask one Alertmanager or exporter once, and another's answer is not taken."""
    answers = {
        "/api/v1/targets": lambda _: {"targets": []},
        "/api/v2/alerts": lambda _: [],
        "/api/v2/silences": lambda _: [],
    }
    async with FarEnd(answers=answers) as far, FarEnd(answers=answers) as other:
        async with aiohttp.ClientSession() as session:
            moment = Moment()
            for url in (far.url, far.url, other.url):
                await kind(url=url).gather(question(session, moment=moment))
        assert len(far.asked) == len(other.asked) == len({path for path, _ in far.asked})
