"""The whole lab as its own processes: each fault's visible effect, and its removal."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab.addresses import split
from lab.platform import LabError, Platform
from lab.processes import COMPONENTS
from lab.truth import load
from tests.lab.servers import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRUTH = load()
PATIENCE = aiohttp.ClientTimeout(total=2.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a client of the lab got: a status (None without one), a text, an error in a stream."""

    status: int | None = None
    text: str = ""
    error: str = ""
    first_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A running lab with few users, and what its clients and its change hook see."""

    platform: Platform
    session: aiohttp.ClientSession
    changes: list[dict[str, Any]]

    async def chat(self) -> Answer:
        """Ask chat for a capital through the gateway, streamed."""
        prompt = {"role": "user", "content": "What is the capital of France?"}
        body = {"model": "lab-chat", "stream": True, "messages": [prompt]}
        url = f"{self.platform.url('gateway:8080')}/v1/chat/completions"
        loop = asyncio.get_running_loop()
        began = loop.time()
        first, text, error = 0.0, "", ""
        try:
            async with self.session.post(url, json=body, timeout=PATIENCE) as response:
                async for line in response.content:
                    if not line.startswith(b"data: {"):
                        continue
                    event = orjson.loads(line[6:])
                    error = event.get("error", {}).get("message", error)
                    for choice in event.get("choices", []):
                        text += choice["delta"].get("content", "")
                    first = first or (loop.time() - began if text else 0.0)
        except TimeoutError:
            return Answer(error="timeout")
        seconds = loop.time() - began
        return Answer(
            status=response.status, text=text, error=error, first_seconds=first, seconds=seconds
        )

    async def post(self, name: str, path: str, body: dict[str, Any]) -> Answer:
        """Post to a component."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        url = self.platform.url(name) + path
        try:
            async with self.session.post(url, json=body, timeout=PATIENCE) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(error=type(error).__name__)
        return Answer(status=response.status, text=text, seconds=loop.time() - began)

    async def score(self) -> Answer:
        """Score one payment."""
        entity = {"name": "entity_id", "datatype": "BYTES", "shape": [1], "data": ["a"]}
        amount = {"name": "amount", "datatype": "FP64", "shape": [1], "data": [10.0]}
        body = {"inputs": [entity, amount]}
        return await self.post("scorer:8002", "/v2/models/fraud/infer", body)

    async def embed(self) -> Answer:
        """Embed one text through the gateway."""
        body = {"model": "lab-embed", "input": "x"}
        return await self.post("gateway:8080", "/v1/embeddings", body)

    async def native(self, family: str) -> float:
        """Return one of the engine's own numbers."""
        async with self.session.get(f"{self.platform.url('chat:8000')}/metrics") as response:
            for line in (await response.text()).splitlines():
                if line.startswith(f"vllm:{family}{{"):
                    return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"chat shows no {family}")

    async def certificate_days(self) -> float:
        """Shake hands with the gateway, trusting the lab's authority alone."""
        trusting = ssl.create_default_context(cafile=self.platform.certs_folder / "ca.pem")
        host, port = split(self.platform.addresses["gateway:8443"])
        _, writer = await asyncio.open_connection(host, port, ssl=trusting)
        ends = ssl.cert_time_to_seconds(writer.get_extra_info("peercert")["notAfter"])
        writer.close()
        return (ends - dt.datetime.now(dt.UTC).timestamp()) / 86400

    async def component(self, name: str) -> dict[str, Any]:
        """Return how a component stands."""
        found: dict[str, Any] = (await self.platform.status())["components"][name]
        return found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Run the lab for all tests of this module."""
    changes: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        changes.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/webhook/change", take)
    async with (
        TestServer(app) as hook,
        aiohttp.ClientSession() as session,
        Platform(
            addresses={},
            folder=tmp_path_factory.mktemp("lab"),
            changes_to=str(hook.make_url("/webhook/change")),
        ) as platform,
    ):
        yield World(platform=platform, session=session, changes=changes)


async def well(world: World) -> bool:
    """Tell whether everything answers rightly and in time."""
    said, score, embedded = await world.chat(), await world.score(), await world.embed()
    return (
        "Paris" in said.text
        and said.first_seconds < 0.5
        and (score.status, embedded.status) == (200, 200)
        and score.seconds < 0.4
        and await world.certificate_days() > 30
    )


Sign = Callable[[World], Awaitable[bool]]


async def hang(world: World) -> bool:
    """See: no token moves while requests wait, and /health says 200."""
    said = await world.chat()
    before = await world.native("generation_tokens_total")
    async with world.session.get(f"{world.platform.url('chat:8000')}/health") as health:
        healthy = health.status == 200
    await asyncio.sleep(0.2)
    still = await world.native("generation_tokens_total") == before
    return healthy and still and said.error == "timeout" and await _waits(world)


async def _waits(world: World) -> bool:
    return await world.native("num_requests_waiting") > 0


async def slow_first_token(world: World) -> bool:
    """See: the first token is late, the rest is as quick as ever, nothing waits."""
    said = await world.chat()
    quick = said.seconds - said.first_seconds < 0.8
    return 1.0 < said.first_seconds < 2.0 and quick and not await _waits(world)


async def slow_tokens(world: World) -> bool:
    """See: the first token is in time, the whole is late but under two seconds, nothing waits."""
    said = await world.chat()
    return (
        said.first_seconds < 0.5
        and 0.9 < said.seconds < 2.0
        and "Paris" in said.text
        and not await _waits(world)
    )


async def slower_tokens(world: World) -> bool:
    """See: the whole is later than usual and within every limit, nothing waits."""
    said = await world.chat()
    in_time = said.first_seconds < 0.5 and 0.38 < said.seconds < 0.9
    return in_time and "Paris" in said.text and not await _waits(world)


async def wrong_answer(world: World) -> bool:
    """See: a fluent answer with another city."""
    said = await world.chat()
    return said.status == 200 and "Lyon" in said.text and not said.error


async def stream_error(world: World) -> bool:
    """See: some tokens and then an error, in a 200."""
    said = await world.chat()
    return said.status == 200 and bool(said.text) and bool(said.error)


async def http_500(world: World) -> bool:
    """See: embeddings fail, chat does not."""
    return (await world.embed()).status == 500 and "Paris" in (await world.chat()).text


async def crash(world: World) -> bool:
    """See: connections to the scorer are refused, and it has no process."""
    refused = (await world.score()).error == "ClientConnectorError"
    return refused and (await world.component("scorer"))["pid"] is None


async def saturation(world: World) -> bool:
    """See: a standing queue, a full batch, tokens that move, and a client that waits too long."""
    said = await world.chat()
    before = await world.native("generation_tokens_total")
    await asyncio.sleep(0.3)
    moves = await world.native("generation_tokens_total") > before
    late = said.error == "timeout" or said.first_seconds > 1.0
    return moves and late and await _waits(world)


async def bad_rollout(world: World) -> bool:
    """See: a new version is announced and runs; the scorer's error names the column it lacks."""
    announced = {"service": "features", "kind": "deployment", "version": "1.5.0"}.items()
    version = (await world.component("features"))["version"]
    score = await world.score()
    return (
        version == "1.5.0"
        and any(announced <= change.items() for change in world.changes)
        and score.status == 500
        and "chargeback_ratio" in score.text
    )


async def dependency_slow(world: World) -> bool:
    """See: the score is right and late."""
    score = await world.score()
    return score.status == 200 and 0.6 < score.seconds < 1.5


async def certificate(world: World) -> bool:
    """See: the certificate that is served ends in two days."""
    return 1.9 < await world.certificate_days() < 2.1


async def features_overdue(world: World) -> bool:
    """See: the score does not come within two seconds, and all else does."""
    return (await world.score()).error == "TimeoutError" and "Paris" in (await world.chat()).text


async def metrics_gone(world: World) -> bool:
    """See: the metrics are refused with a status, and the answer is right all the same."""
    async with world.session.get(f"{world.platform.url('chat:8000')}/metrics") as response:
        refused = response.status == 503
    return refused and "Paris" in (await world.chat()).text


SIGNS: dict[str, Sign] = {
    sign.__name__: sign
    for sign in (
        hang,
        slow_first_token,
        slow_tokens,
        slower_tokens,
        wrong_answer,
        stream_error,
        http_500,
        crash,
        saturation,
        bad_rollout,
        dependency_slow,
        certificate,
        features_overdue,
        metrics_gone,
    )
}


@pytest.mark.parametrize("name", TRUTH)
async def test_a_fault_shows_and_goes(world: World, name: str) -> None:
    """Set, a fault shows to a client as its truth says; cleared, everything is well again."""

    async def healthy() -> bool:
        return await well(world)

    async def shows() -> bool:
        return await SIGNS[name](world)

    await until(healthy, 30)
    told = await world.platform.set_fault(name)
    try:
        assert told["component"] == TRUTH[name].component
        assert told["cause_kind"] == TRUTH[name].cause_kind
        assert abs(told["onset"] - dt.datetime.now(dt.UTC).timestamp()) < 30
        await until(shows, 30)
        assert [f["fault"] for f in (await world.platform.status())["faults"]] == [name]
    finally:
        await world.platform.clear_fault(name)
    await until(healthy, 30)
    assert all(row["onset"] is None for row in await world.platform.faults())


async def test_a_rollout_is_rolled_back_in_the_log(world: World) -> None:
    """The change comes before the onset, and going back is a change as well."""
    del world.changes[:]
    told = await world.platform.set_fault("bad_rollout")
    await world.platform.clear_fault("bad_rollout")
    rollouts = [change for change in world.changes if change["service"] == "features"]
    assert [change["version"] for change in rollouts] == ["1.5.0", COMPONENTS["features"].version]
    assert rollouts[0]["time"] <= told["onset"] <= rollouts[1]["time"]


async def test_a_component_that_dies_by_itself_comes_back(world: World) -> None:
    """A death that no fault ordered is repaired, with another process."""
    before = await world.component("embeddings")
    killed = await asyncio.create_subprocess_exec("kill", "-9", str(before["pid"]))
    await killed.wait()

    async def back() -> bool:
        now = await world.component("embeddings")
        return now["pid"] not in {None, before["pid"]} and (await world.embed()).status == 200

    await until(back, 30)
    assert (await world.component("embeddings"))["restarts"] == before["restarts"] + 1


async def test_an_unknown_fault_is_an_error(world: World) -> None:
    """The client says what the lab said."""
    with pytest.raises(LabError, match="not known"):
        await world.platform.set_fault("gremlins")


def lives(pid: int) -> bool:
    """Tell whether the process is there and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def test_nothing_is_left_when_the_lab_is_killed(tmp_path: Path) -> None:
    """Components end with the lab, even when it has no time to stop them."""
    async with Platform(addresses={}, folder=tmp_path, load=False) as platform:
        components = (await platform.status())["components"].values()
        pids = [component["pid"] for component in components]
        killed = await asyncio.create_subprocess_exec("kill", "-9", str(platform.pid))
        await killed.wait()

        async def gone() -> bool:
            return not any(map(lives, pids))

        await until(gone, 20)


async def test_every_fault_has_a_sign() -> None:
    """The signs above are of exactly the faults in the table."""
    assert set(SIGNS) == set(TRUTH)
