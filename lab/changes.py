"""The platform's change log: harmless changes now and then, and those that faults bring."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import structlog

log = structlog.get_logger(__name__)

POST_WITHIN_SECONDS = 2.0
TRIES = 3
KEPT = 100
# Services that nothing in the lab calls, so that none of these can explain anything.
HARMLESS = (
    {"service": "billing", "kind": "config", "title": "Invoice footer reworded"},
    {"service": "search-ui", "kind": "config", "title": "Banner colour changed"},
    {"service": "mailer", "kind": "other", "title": "Bounce list cleaned"},
    {"service": "billing", "kind": "other", "title": "Old receipts archived"},
    {"service": "intranet", "kind": "config", "title": "Cafeteria menu linked"},
    {"service": "search-ui", "kind": "other", "title": "Translations for nl reviewed"},
)
_AUTHORS = ("ada", "grace", "edsger", "barbara")


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """Where changes are posted, and the file with the bearer token if one is needed."""

    url: str
    token_file: Path | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers of a post; the token is read again each time."""
        if self.token_file is None:
            return {}
        return {"Authorization": f"Bearer {self.token_file.read_text('utf-8').strip()}"}


@dataclass(kw_only=True, slots=True)
class ChangeLog:
    """Posts changes to its receiver and keeps the last ones; an absent receiver is no failure."""

    receiver: Receiver | None
    seed: int = 1
    clock: Callable[[], float] = time.time
    retry_seconds: float = 0.5
    entries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))

    async def post(self, change: dict[str, Any], *, tries: int = 1) -> None:
        """Record a change with the time of now and post it."""
        stamped = {**change, "time": round(self.clock(), 3)}
        delivered = False
        for attempt in range(tries if self.receiver is not None else 0):
            if attempt:
                await asyncio.sleep(self.retry_seconds)
            if delivered := await self._deliver(stamped):
                break
        self.entries.append({**stamped, "delivered": delivered})

    async def _deliver(self, change: dict[str, Any]) -> bool:
        assert self.receiver is not None  # noqa: S101 - its caller has looked
        timeout = aiohttp.ClientTimeout(total=POST_WITHIN_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    self.receiver.url, json=change, headers=self.receiver.headers()
                ) as response,
            ):
                delivered = response.status < 300
        except (aiohttp.ClientError, OSError) as error:
            log.info("change not delivered", reason=type(error).__name__)
            return False
        if not delivered:
            log.warning("change refused", status=response.status)
        return delivered

    async def harmless(self, every_seconds: float) -> None:
        """Post a harmless change now and then, for ever."""
        rng = random.Random(self.seed)  # noqa: S311 - a rhythm, not a secret
        while True:
            await self.post({**rng.choice(HARMLESS), "author": rng.choice(_AUTHORS)})
            await asyncio.sleep(rng.uniform(0.5, 1.5) * every_seconds)
