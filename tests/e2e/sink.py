"""A real receiver of the webhook channel: it keeps what came and answers as it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One post: its idempotency key and its body."""

    key: str
    body: Any


@dataclass(kw_only=True, slots=True)
class Sink:
    """Listens on a free port of loopback; `answers` are given first, then 200."""

    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None
    url: str = ""

    async def __aenter__(self) -> Self:
        """Start listening; nothing is held back at first."""
        self.hold.set()
        app = web.Application()
        app.router.add_post("/reports", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        address = self._runner.addresses[0]
        self.url = f"http://127.0.0.1:{address[1]}/reports"
        return self

    async def __aexit__(self, *reason: object) -> None:
        """Stop listening."""
        self.hold.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        self.received.append(Received(key=key, body=await request.json()))
        await self.hold.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)
