"""Agents of a whole fleet beside every hostile endpoint at once: each is named, nobody suffers."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from exporter.agent import Surroundings
from exporter.canary import Canary
from exporter.config import Config
from exporter.fleet import Fleet
from exporter.instruments import Instruments
from exporter.probes.http import Http
from exporter.probes.openai_chat import OpenAIChat
from exporter.target import Reason, State, Target
from exporter.transport import open_transport
from tests.exporter.servers import DONE, OK, STREAM, delta, finished, says, serving
from tests.exporter.test_hostile import HOSTILE, STREAMS
from toolkit.lifecycle import Supervisor

INTERVAL_SECONDS = 3.0
TIMEOUT_SECONDS = 2.0


def http(name: str, url: str) -> Target:
    """Make a target of the kind http."""
    return Http(name=name, url=url, interval=INTERVAL_SECONDS, timeout=TIMEOUT_SECONDS)


def chat(name: str, url: str) -> Target:
    """Make a target of the kind openai_chat."""
    canary = Canary(name="c", prompt="What is the capital of France?")
    return OpenAIChat(
        name=name,
        url=url,
        model="m",
        stall=0.5,
        interval=INTERVAL_SECONDS,
        timeout=TIMEOUT_SECONDS,
        canaries=(canary,),
    )


async def _targets(stack: AsyncExitStack) -> dict[str, tuple[Target, Reason | None]]:
    """Start every server; return the targets by name, each with its reason."""
    found: dict[str, tuple[Target, Reason | None]] = {}
    for number, (behaviour, of_http, of_chat) in enumerate(HOSTILE.values()):
        url = await stack.enter_async_context(serving(behaviour))
        found[f"http-{number}"] = http(f"http-{number}", url), of_http
        found[f"chat-{number}"] = chat(f"chat-{number}", url), of_chat
    for number, (behaviour, reason) in enumerate(STREAMS.values()):
        url = await stack.enter_async_context(serving(behaviour))
        found[f"stream-{number}"] = chat(f"stream-{number}", url), reason
    page = await stack.enter_async_context(serving(says(OK + b"Content-Length: 2\r\n\r\nok")))
    answer = says(STREAM + delta("Paris") + finished() + DONE)
    right = await stack.enter_async_context(serving(answer))
    found["healthy-http"] = http("healthy-http", page), None
    found["healthy-chat"] = chat("healthy-chat", right), None
    return found


async def test_a_fleet_outlives_every_hostile_endpoint_at_once() -> None:
    """Each agent runs in its turn, names what it met, and no task dies."""
    instruments = Instruments()
    async with AsyncExitStack() as stack:
        targets = await _targets(stack)
        transport = await stack.enter_async_context(open_transport())
        supervisor = await stack.enter_async_context(Supervisor())
        fleet = Fleet(supervisor, Surroundings(transport=transport, instruments=instruments))
        await fleet.take(Config(targets=tuple(each for each, _ in targets.values()), modules={}))
        until = time.monotonic() + 90
        while any(record.last is None for record in fleet.records):
            assert time.monotonic() < until, "not all had their turn"
            await asyncio.sleep(0.1)
        found = {str(each.target.name): each.last for each in fleet.records}
        expected = {name: reason for name, (_, reason) in targets.items()}
        assert {name: last and last.reason for name, last in found.items()} == expected
        healthy = [found["healthy-http"], found["healthy-chat"]]
        assert [last and last.state for last in healthy] == [State.OK, State.OK]
        assert not any(supervisor.deaths().values())
