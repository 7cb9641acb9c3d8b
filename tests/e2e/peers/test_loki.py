"""The loki source against a real Loki: what was pushed is counted, told apart and opened."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from lab.stack.process import Process
from responder.investigation.evidence import Evidence, Status, Window
from responder.source import Question, Topology
from responder.sources.loki import LokiSource
from tests.e2e.peers.backends import loki
from tests.e2e.peers.servers import running
from tests.responder.sources.far_end import incident

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

TENANT = {"X-Scope-OrgID": "platform"}
STREAMS = {"chat": '{app="chat", env=~"pr.+"}', "quiet": '{app="quiet"}'}
NOW = time.time()
BEGAN, FIRED = NOW - 600, NOW - 300


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Process, str]]:
    """Run Loki with the lines of a quarter of an hour; yield it and its address."""
    server, url = loki(cache, tmp_path_factory.mktemp("peers") / "loki")
    async with running(server), aiohttp.ClientSession(headers=TENANT) as session:
        await push(session, url, "chat", spoken())
        await push(session, url, "far", [(NOW - 700, "ERROR elsewhere")])
        yield server, url


def spoken() -> Iterable[tuple[float, str]]:
    """Say what an engine would: a line each two seconds, errors of one kind, then of two."""
    for second in range(1500, 0, -2):
        at = NOW - second
        yield at, f'level=info msg="answered" ms={second}'
        if second % 100 == 0:
            yield at + 0.1, f"ERROR retry {second} of 10.0.0.{second % 7}"
        if at > BEGAN and second % 10 == 0:
            yield at + 0.2, f'panic: lost slot {second} "x" password=hunter2hunter'


async def push(
    session: aiohttp.ClientSession, url: str, app: str, lines: Iterable[tuple[float, str]]
) -> None:
    """Send lines as an agent does."""
    values = [[str(int(at * 1e9)), text] for at, text in sorted(lines)]
    body = {"streams": [{"stream": {"app": app, "env": "prod"}, "values": values}]}
    async with session.post(f"{url}/loki/api/v1/push", json=body) as answer:
        assert answer.status == 204, await answer.text()


async def gathered(url: str, **settings: Any) -> list[Evidence]:
    """Ask the source about the last hour."""
    source = LokiSource(url=url, **{"streams": STREAMS, "headers": TENANT, **settings})
    async with aiohttp.ClientSession() as session:
        asked = Question(
            incident=incident({"alertname": "Slow", "service": "chat"}, fired_at=FIRED),
            window=Window(start=FIRED - 3600, end=NOW),
            step_seconds=0.0,
            topology=Topology(),
            changes=(),
            session=session,
            deadline_seconds=30.0,
        )
        return list((await source.gather(asked)).evidence)


def value(found: Evidence, name: str) -> float:
    """Return the one quantity of this name."""
    (quantity,) = (each for each in found.quantities if each.name == name)
    return quantity.value


async def test_lines_are_counted_and_told_apart(started: tuple[Process, str]) -> None:
    """The counts are those of what was pushed, cut where it began; the new template leads."""
    chat, quiet = await gathered(started[1], timeout=30.0)
    assert (chat.status, chat.component) == (Status.OK, "chat"), chat.detail
    assert abs(value(chat, "counted apart at") - BEGAN) <= 30
    errors = value(chat, "error lines before") + value(chat, "error lines since")
    assert errors == pytest.approx(15 + 60, abs=2)
    every = value(chat, "lines before") + value(chat, "lines since")
    assert every == pytest.approx(750 + errors, abs=4)
    assert "panic: lost slot" in chat.facts["log 1 excerpt"]
    assert chat.facts["log 1 excerpt"].startswith("new, ")
    assert "hunter2" not in chat.model_dump_json()
    assert quiet.status is Status.EMPTY


async def test_a_pattern_of_ones_own(started: tuple[Process, str]) -> None:
    """Quotes and backslashes in it reach Loki as they are."""
    chat, _ = await gathered(started[1], errors='slot \\d+ "x"', timeout=30.0)
    assert chat.status is Status.OK, chat.detail
    assert value(chat, "error lines before") + value(chat, "error lines since") == pytest.approx(
        60, abs=2
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"headers": {}}, "answered 401: no org id"),
        ({"errors": "("}, "answered 400: parse error"),
    ],
)
async def test_what_loki_refuses(
    started: tuple[Process, str], settings: dict[str, Any], told: str
) -> None:
    """Its own words are told: no tenant, and a pattern that is none."""
    found = await gathered(started[1], timeout=30.0, **settings)
    assert {each.status for each in found} == {Status.FAILED}
    assert told in found[0].detail


async def test_another_tenant_sees_nothing(started: tuple[Process, str]) -> None:
    """The tenant's header decides what there is."""
    found = await gathered(started[1], timeout=30.0, headers={"X-Scope-OrgID": "other"})
    assert {each.status for each in found} == {Status.EMPTY}


async def test_it_falls(started: tuple[Process, str]) -> None:
    """A Loki that was killed is unavailable; this is the last test, since it is gone after it."""
    server, url = started
    await server.kill()
    assert {each.status for each in await gathered(url)} == {Status.UNAVAILABLE}
