"""A responder in this process, on a free port, with a scripted investigation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from responder.assembly import Responder, Startup, running
from responder.config import Config
from tests.responder.fakes import ScriptedInvestigation
from tests.responder.receiver import Receiver, listening
from toolkit.settings import parse
from toolkit.web import load_web_config


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A running responder and how to ask it."""

    responder: Responder
    investigation: ScriptedInvestigation
    session: aiohttp.ClientSession
    url: URL

    async def send(self, body: Any, path: str = "/webhook/alertmanager", **options: Any) -> int:
        """Post JSON, or bytes as they are; give the status."""
        how = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.post(self.url / path[1:], **how, **options) as response:
            return response.status

    async def read(self, path: str) -> Any:
        """Get JSON."""
        async with self.session.get(self.url.join(URL(path))) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def text(self, path: str, **options: Any) -> str:
        """Get text."""
        async with self.session.get(self.url.join(URL(path)), **options) as response:
            assert response.status == 200, await response.text()
            return await response.text()

    async def incidents(self) -> list[dict[str, Any]]:
        """Give the incidents of the API, newest first."""
        found: list[dict[str, Any]] = (await self.read("/api/v1/incidents"))["incidents"]
        return found

    async def reported(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many incidents are reported; give all."""

        async def enough() -> list[dict[str, Any]] | None:
            found = await self.incidents()
            done = [each for each in found if each["state"] == "reported"]
            return found if len(done) >= count else None

        found: list[dict[str, Any]] = await eventually(enough)
        return found


async def eventually(ask: Callable[[], Awaitable[Any]], within_seconds: float = 60) -> Any:
    """Ask until the answer is true."""
    async with asyncio.timeout(within_seconds):
        while True:
            answer = await ask()
            if answer:
                return answer
            await asyncio.sleep(0.02)


Start = Callable[..., Awaitable[Place]]


@pytest.fixture
async def sink() -> AsyncIterator[Receiver]:
    """Run a receiver of the webhook channel."""
    async with listening() as receiver:
        yield receiver


@asynccontextmanager
async def place_in(
    folder: Path,
    settings: str,
    *,
    investigation: ScriptedInvestigation | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Place]:
    """Run a responder whose database is in *folder*, on the YAML *settings*."""
    scripted = investigation or ScriptedInvestigation()
    startup = Startup(
        read=lambda: parse(settings, "responder.yml", Config, environ=environ or {}),
        directory=folder,
        addresses=["127.0.0.1:0"],
        web=load_web_config(None, {}),
        version="test",
        build=lambda _config, _surroundings: nullcontext(scripted),
        clock=clock,
    )
    async with AsyncExitStack() as stack:
        responder = await stack.enter_async_context(running(startup))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Place(
            responder=responder,
            investigation=scripted,
            session=session,
            url=URL(f"http://{responder.addresses[0]}"),
        )


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Give what starts responders, which end with the test."""
    async with AsyncExitStack() as stack:

        async def begin(settings: str = "incidents: {quiet: 0s}", **options: Any) -> Place:
            return await stack.enter_async_context(place_in(tmp_path, settings, **options))

        yield begin
