"""The change log: posts with a token, tries again, and minds no absent receiver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab.changes import HARMLESS, ChangeLog, Receiver
from lab.processes import COMPONENTS

CHANGE = {"service": "features", "kind": "deployment", "title": "Deploy", "version": "1.5.0"}


@dataclass(kw_only=True, slots=True)
class Hook:
    """A webhook that keeps what it gets and answers as it is told."""

    statuses: list[int] = field(default_factory=list)
    seen: list[tuple[str | None, dict[str, Any]]] = field(default_factory=list)
    url: str = ""
    five: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """Keep one post."""
        self.seen.append((request.headers.get("Authorization"), await request.json()))
        if len(self.seen) == 5:
            self.five.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """Serve a webhook."""
    made = Hook()
    app = web.Application()
    app.router.add_post("/webhook/change", made.take)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/webhook/change"))
        yield made


async def test_a_change_is_posted_with_its_time_and_token(hook: Hook, tmp_path: Path) -> None:
    """The receiver gets the change, stamped, under the token that is in the file now."""
    token = tmp_path / "token"
    log = ChangeLog(receiver=Receiver(url=hook.url, token_file=token), clock=lambda: 1234.5678)
    for word in ("one", "two"):
        token.write_text(f"{word}\n")
        await log.post(CHANGE)
    assert [header for header, _ in hook.seen] == ["Bearer one", "Bearer two"]
    assert hook.seen[0][1] == {**CHANGE, "time": 1234.568}
    assert [entry["delivered"] for entry in log.entries] == [True, True]


async def test_a_change_that_matters_is_tried_again(hook: Hook) -> None:
    """A refusal is tried again as often as asked."""
    hook.statuses = [503, 503]
    log = ChangeLog(receiver=Receiver(url=hook.url), retry_seconds=0.0)
    await log.post(CHANGE, tries=3)
    assert len(hook.seen) == 3
    assert len({change["time"] for _, change in hook.seen}) == 1
    assert [entry["delivered"] for entry in log.entries] == [True]


@pytest.mark.parametrize(
    "receiver",
    [
        None,
        Receiver(url="http://127.0.0.1:9/webhook/change"),
        Receiver(url="http://127.0.0.1:9/", token_file=Path("/nonexistent/token")),
    ],
)
async def test_an_absent_receiver_is_no_failure(receiver: Receiver | None) -> None:
    """The change is kept, as one that was not delivered."""
    log = ChangeLog(receiver=receiver, retry_seconds=0.0)
    await log.post(CHANGE, tries=2)
    assert [entry["delivered"] for entry in log.entries] == [False]


async def test_harmless_changes_are_of_other_services(hook: Hook) -> None:
    """Now and then a change comes of a service that the lab does not have."""
    log = ChangeLog(receiver=Receiver(url=hook.url))
    task = asyncio.create_task(log.harmless(0.001))
    await hook.five.wait()
    task.cancel()
    assert not {change["service"] for change in HARMLESS} & set(COMPONENTS)
    assert {change["kind"] for _, change in hook.seen} <= {"config", "other"}
