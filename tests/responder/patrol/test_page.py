"""The page and the JSON of the rounds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from responder.patrol.concern import Concern, Grade, RoundReport, Standing
from responder.store import patrol
from responder.store.engine import url_of
from responder.store.store import Store
from responder.web.pages import Pages
from responder.web.rounds import Rounds

HOSTILE = Concern(
    look="latency",
    measure="time per run",
    labels={"target": "<b>chat</b>"},
    grade=Grade.SERIOUS,
    text="time per run of <script>alert(1)</script> is 2 s, api_key=hunter2hunter2",
    query="up",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open an empty store."""
    with Store(url_of(str(tmp_path / "vigie.db"), tmp_path)) as opened:
        yield opened


def app_of(store: Store) -> web.Application:
    """Give the pages over a store."""
    app = web.Application()
    Pages(store, runbooks=tuple).register(app)
    Rounds(store).register(app)
    return app


async def test_it_is_quiet_where_nothing_was_found(
    store: Store, aiohttp_client: AiohttpClient
) -> None:
    """A page and an answer there are all the same, and the start page leads to it."""
    client = await aiohttp_client(app_of(store))
    page = await (await client.get("/patrol")).text()
    assert "Nothing yet." in page
    assert await (await client.get("/api/v1/patrol")).json() == {"standing": [], "rounds": []}
    assert 'href="/patrol"' in await (await client.get("/")).text()


async def test_what_holds_and_what_was_said_is_shown_without_harm(
    store: Store, aiohttp_client: AiohttpClient
) -> None:
    """Text from what is watched is shown as text, its secrets masked; older rounds have a page."""
    standing = Standing(concern=HOSTILE, since=1_700_000_000.0, seen_at=1_700_000_600.0)
    await store.write(lambda database: patrol.keep_standings(database, {HOSTILE.key: standing}))
    for at in range(3):
        report = RoundReport(at=1_700_000_000.0 + at, seconds=0.2, new=(HOSTILE,), standing=1)
        await store.write(partial(patrol.add_round, report=report))
    client = await aiohttp_client(app_of(store))
    page = await (await client.get("/patrol?limit=2")).text()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "hunter2" not in page
    assert 'href="/patrol?before=1700000001.000"' in page
    told = await (await client.get("/api/v1/patrol?before=1700000001")).json()
    assert [each["at"] for each in told["rounds"]] == [1_700_000_000.0]
    assert told["standing"][0]["concern"]["grade"] == "serious"
    assert (await client.get("/patrol?before=never")).status == 200


async def test_old_reports_are_forgotten(store: Store) -> None:
    """Retention deletes those from before a time, and only those."""
    for at in (1.0, 2.0, 3.0):
        report = RoundReport(at=at, seconds=0.2, over=(HOSTILE,))
        await store.write(partial(patrol.add_round, report=report))
    assert await store.write(lambda database: patrol.forget_rounds(database, 2.5)) == 2
    left = await store.read(lambda database: patrol.rounds(database, 10))
    assert [each.at for each in left] == [3.0]
