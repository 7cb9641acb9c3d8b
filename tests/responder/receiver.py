"""A real receiver of the webhook channel: it keeps what came and answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One post: its idempotency key and its body."""

    key: str
    body: Any


@dataclass(kw_only=True, slots=True)
class Receiver:
    """Keeps posts; each of `answers` (status and headers) is given once, then 200."""

    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        """Keep a post."""
        key = request.headers.get("Idempotency-Key", "")
        body = await request.json()
        async with self.arrived:
            self.received.append(Received(key=key, body=body))
            self.arrived.notify_all()
        await self.hold.wait()
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return web.Response(status=status, headers=headers)

    async def until(self, count: int, within_seconds: float = 60) -> list[Received]:
        """Wait until so many posts have come."""
        async with asyncio.timeout(within_seconds), self.arrived:
            await self.arrived.wait_for(lambda: len(self.received) >= count)
        return self.received


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()
    receiver.hold.set()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/reports", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/reports"
    try:
        yield receiver
    finally:
        receiver.hold.set()
        await runner.cleanup()
