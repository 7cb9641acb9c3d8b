"""openai_chat and vLLM's metrics against llm-d's simulator: why it is late, and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.probes.openai_chat import OpenAIChat
from exporter.probes.openai_models import OpenAIModels
from exporter.target import Native, Reason, State, Target
from tests.e2e.peers.asking import asked, falls, judged, page, target_of, whole_page
from tests.e2e.peers.servers import BRISK, running, simulator, simulator_program

pytestmark = pytest.mark.peers

HUNG = ("--prefill-time-per-token=100ms", "--inter-token-latency=1ms", "--max-num-seqs=1")
"""A long prompt takes a minute and a short one less than a second."""
SLOW = ("--time-to-first-token=100ms", "--inter-token-latency=20ms", "--max-num-seqs=1")
LONG = [{"name": "long", "prompt": "word " * 600}]
FAILURES = {
    "rate_limit": (State.UNKNOWN, Reason.RATE_LIMITED),
    "invalid_api_key": (State.UNKNOWN, Reason.AUTH),
    "context_length": (State.UNKNOWN, Reason.HTTP_4XX),
    "invalid_request": (State.UNKNOWN, Reason.HTTP_4XX),
    "model_not_found": (State.UNKNOWN, Reason.HTTP_4XX),
    "server_error": (State.DOWN, Reason.HTTP_5XX),
}
"""What the simulator can be told to fail with, and what is said of it."""


@asynccontextmanager
async def simulating(cache: Path, folder: Path, *flags: str) -> AsyncIterator[str]:
    """Run the simulator; yield its address."""
    server, address = simulator(simulator_program(cache), folder / "simulator", flags)
    async with running(server):
        yield f"http://{address}"
        await server.kill()  # else it waits for the requests that hang


def vllm(url: str) -> Native:
    """Return where its metrics are."""
    return Native(url=f"{url}/metrics", server="vllm")


def chat(url: str, **fields: Any) -> Target:
    """Make the target, with vLLM's metrics."""
    return target_of(OpenAIChat, url, **{"model": "simulated", "native": vllm(url), **fields})


@asynccontextmanager
async def crowd(url: str, size: int, prompt: str) -> AsyncIterator[None]:
    """Keep so many users asking, one request after another; enter when three in four wait."""
    messages = [{"role": "user", "content": prompt}]
    body = {"model": "simulated", "max_tokens": 10, "messages": messages}

    async def ask(session: aiohttp.ClientSession) -> None:
        while True:
            async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                await response.read()

    async with aiohttp.ClientSession() as session:
        users = [asyncio.create_task(ask(session)) for _ in range(size)]
        try:
            async with asyncio.timeout(20):
                while ((await page(vllm(url))).waiting or 0) < size * 3 / 4:
                    pass
            yield
        finally:
            for user in users:
                user.cancel()
            await asyncio.wait(users)


async def test_brisk_server_is_ok(cache: Path, tmp_path: Path) -> None:
    """The stream has times and usage, all of vLLM's names are there, and tokens move them."""
    async with simulating(cache, tmp_path, *BRISK) as url:
        assert (await judged(chat(url))).state is State.OK
        before = await whole_page(vllm(url))
        last = await judged(chat(url))
        assert last.state is State.OK
        assert last.observation.served_model == "simulated"
        assert last.observation.first_token_seconds is not None
        assert last.observation.output_tokens
        async with asyncio.timeout(20):  # it counts a request as running a little past its answer
            while (after := await whole_page(vllm(url))).running or after.waiting:
                pass
        assert before.progress != after.progress
        assert (await asked(OpenAIModels, url, model="simulated")).reason is None


async def test_hung_server_is_hung(cache: Path, tmp_path: Path) -> None:
    """It takes requests, its metrics answer, and no token is made: hung, crowd or none."""
    async with simulating(cache, tmp_path, *HUNG) as url:
        assert (await judged(chat(url))).state is State.OK
        stuck = chat(url, timeout=3.0, canaries=LONG)
        last = await judged(stuck)
        assert (last.state, last.reason) == (State.HUNG, Reason.TIMEOUT_FIRST_TOKEN)
        async with crowd(url, 8, LONG[0]["prompt"]):
            assert (await judged(stuck)).state is State.HUNG


async def test_crowded_server_is_saturated(cache: Path, tmp_path: Path) -> None:
    """It is as late as a hung one, but works and has a queue; without the crowd it is ok."""
    async with simulating(cache, tmp_path, *SLOW) as url:
        late = chat(url, timeout=4.0)
        async with crowd(url, 40, "one two three four five six seven"):
            last = await judged(late)
            assert (last.state, last.reason) == (State.SATURATED, Reason.TIMEOUT_FIRST_TOKEN)
        async with asyncio.timeout(60):
            while (await judged(late)).state is not State.OK:
                pass


async def test_server_that_stands_still_is_down(cache: Path, tmp_path: Path) -> None:
    """Neither it nor its metrics answer; nor does anybody once it is killed."""
    server, address = simulator(simulator_program(cache), tmp_path / "simulator")
    url = f"http://{address}"
    async with running(server):
        await falls(server, chat(url, native=None))
        last = await judged(chat(url))
    assert (last.state, last.reason) == (State.DOWN, Reason.CONNECT)


@pytest.mark.parametrize("failure", FAILURES)
async def test_injected_failure_has_its_reason(cache: Path, tmp_path: Path, failure: str) -> None:
    """Each error that the simulator can make of every request."""
    flags = (*BRISK, "--failure-injection-rate=100", f"--failure-types={failure}")
    async with simulating(cache, tmp_path, *flags) as url:
        last = await judged(chat(url))
    assert (last.state, last.reason) == FAILURES[failure], last.detail
    assert last.excerpt
