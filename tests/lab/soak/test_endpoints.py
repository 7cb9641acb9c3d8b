"""The soak's endpoints as a process: each answers as its path says, and keeps when it was asked."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from lab.soak.run import ROOT
from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """Serve the endpoints; give where."""
    at = free_addresses(["plain", "mute"])
    ports = [each.rpartition(":")[2] for each in at.values()]
    process = Process(
        Launch(
            name="endpoints",
            argv=(sys.executable, "-m", "lab.soak", "--serve", *ports),
            log=tmp_path / "log",
            ready_url=f"http://{at['plain']}/-/ready",
            folder=ROOT,
        )
    )
    await process.start()
    yield at["plain"]
    await process.stop()


async def test_endpoints_answer_and_keep_the_times(address: str) -> None:
    """A page, a status, a request with a body, an unknown path; two arrivals of 7 are kept."""
    before = time.monotonic()
    async with aiohttp.ClientSession(f"http://{address}") as session:
        async with session.get("/7/page") as answer:
            assert await answer.text() == "ready\n"
        async with session.post("/7/chat", data=b"x" * 1000) as answer:
            assert "[DONE]" in await answer.text()
        async with session.get("/8/503") as answer:
            assert answer.status == 503
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get("/9/unheard-of")
        async with session.get("/-/arrivals") as answer:
            times = await answer.json(content_type=None)
    assert {number: len(each) for number, each in times.items()} == {"7": 2, "8": 1}
    assert before <= times["7"][0] <= times["7"][1] <= time.monotonic()
