"""The kinds of OpenAI's family through LiteLLM's proxy, before llm-d's simulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from exporter.access import Auth
from exporter.probes.openai_chat import OpenAIChat
from exporter.probes.openai_embeddings import OpenAIEmbeddings
from exporter.probes.openai_models import OpenAIModels
from exporter.target import Native, Reason, State
from lab.stack.process import Process
from tests.e2e.peers.asking import asked, falls, judged, page, target_of, whole_page
from tests.e2e.peers.environments import environment
from tests.e2e.peers.servers import (
    BRISK,
    LITELLM,
    LITELLM_KEY,
    litellm,
    running,
    simulator,
    simulator_program,
)
from toolkit.secrets import Secret

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

KEY = Auth(bearer=Secret(place="test", value=LITELLM_KEY))
ECHO = [{"name": "echo", "prompt": "Say echo.", "checks": [{"contains": "echo"}]}]
FAULTS = {"limited": "rate_limit", "broken": "server_error"}
"""What the simulator behind each model does to every request."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Mapping[str, Process], str]]:
    """Run the proxy before three simulators, of which two fail; yield all and its address."""
    folder = tmp_path_factory.mktemp("peers")
    program = simulator_program(cache)
    flags: dict[str, tuple[str, ...]] = {"chat": BRISK}
    for name, fault in FAULTS.items():
        flags[name] = (*BRISK, "--failure-injection-rate=100", f"--failure-types={fault}")
    upstreams: dict[str, str] = {}
    servers: dict[str, Process] = {}
    async with AsyncExitStack() as stack:
        for name, given in flags.items():
            servers[name], upstreams[name] = simulator(program, folder / name, given)
            await stack.enter_async_context(running(servers[name]))
        servers[LITELLM], address = litellm(
            environment(LITELLM, cache), folder / LITELLM, upstreams
        )
        await stack.enter_async_context(running(servers[LITELLM]))
        yield servers, f"http://{address}"


@pytest.fixture
def url(started: tuple[Mapping[str, Process], str]) -> str:
    """Return the proxy's address."""
    return started[1]


async def test_chat_is_streamed_through(url: str) -> None:
    """The stream has tokens, times and usage, and names the model as the proxy does."""
    run = await asked(OpenAIChat, url, model="chat", auth=KEY, canaries=ECHO)
    assert run.reason is None, run.detail
    seen = run.observation
    assert seen.served_model == "chat"
    assert seen.first_token_seconds is not None
    assert seen.time_per_output_token_seconds is not None
    assert (seen.output_tokens, seen.prompt_tokens) == (3, 8)
    assert not seen.stream_buffered


async def test_embeddings(url: str) -> None:
    """A vector as long as asked for, from the model asked for."""
    run = await asked(OpenAIEmbeddings, url, model="chat", auth=KEY, dimensions=384)
    assert run.reason is None, run.detail
    assert run.observation.served_model == "chat"
    run = await asked(OpenAIEmbeddings, url, model="chat", auth=KEY, dimensions=385)
    assert run.reason is Reason.SCHEMA


@pytest.mark.parametrize(
    ("name", "reason"), [("limited", Reason.RATE_LIMITED), ("broken", Reason.HTTP_5XX)]
)
async def test_failure_behind_the_proxy_is_told(url: str, name: str, reason: Reason) -> None:
    """The rate limit of the provider behind it stays one, and an error an error."""
    run = await asked(OpenAIChat, url, model=name, auth=KEY)
    assert run.reason is reason, run.detail
    assert run.observation.answer


async def test_without_a_key_or_a_model(url: str) -> None:
    """Credentials and a model that is not there are told apart."""
    assert (await asked(OpenAIChat, url, model="chat")).reason is Reason.AUTH
    run = await asked(OpenAIChat, url, model="none", auth=KEY)
    assert run.reason is Reason.HTTP_4XX


async def test_models_are_listed(url: str) -> None:
    """The proxy lists its models; one that it has not is missed."""
    run = await asked(OpenAIModels, url, model="chat", auth=KEY)
    assert run.reason is None, run.detail
    run = await asked(OpenAIModels, url, model="none", auth=KEY)
    assert run.reason is not None


async def test_native_names(url: str) -> None:
    """The page wants the key and sends on to another path; a request moves its progress.

    Its counters rise in the background, a moment after the answer.
    """
    native = Native(url=f"{url}/metrics", server="litellm", auth=KEY)
    assert (await asked(OpenAIChat, url, model="chat", auth=KEY)).reason is None
    async with asyncio.timeout(30):
        while None in (before := await page(native)).progress:
            pass
    assert (await whole_page(native)).running is not None
    assert (await asked(OpenAIChat, url, model="chat", auth=KEY)).reason is None
    async with asyncio.timeout(30):
        while (await page(native)).progress == before.progress:
            pass


async def test_it_falls(started: tuple[Mapping[str, Process], str]) -> None:
    """The server behind it is killed, which is the proxy's 500, then the proxy itself falls.

    These are the last tests, since both are gone after them.
    """
    servers, url = started
    target = target_of(OpenAIChat, url, model="chat", auth=KEY)
    await servers["chat"].kill()
    last = await judged(target)
    assert (last.state, last.reason) == (State.DOWN, Reason.HTTP_5XX), last.detail
    assert last.observation.status_code == 500
    await falls(servers[LITELLM], target_of(OpenAIModels, url, model="chat", auth=KEY))
