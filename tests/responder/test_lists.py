"""The lists of incidents, episodes and unread posts: paged, narrowed, and quick in a storm."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from yarl import URL

from responder.store import views
from responder.store.store import Store
from tests.responder.conftest import Place, Start
from tests.responder.fakes import alert, post
from tests.responder.stream import World


def storm(target: str, count: int) -> dict[str, Any]:
    """Make a post of so many alerts on a target."""
    at = time.time()
    found = [
        alert(starts_at=at, instance=str(each), target=target, severity="info")
        for each in range(count)
    ]
    return post(*found)


async def stormed(place: Place, incidents: int, episodes: int) -> None:
    """Post an incident for each of so many targets, of so many episodes each."""
    for number in range(incidents):
        assert await place.send(storm(f"t{number}", episodes)) == 200


async def test_lists_are_paged(start: Start) -> None:
    """Following the pages gives each incident, and each episode, once; 100 a page."""
    place = await start("incidents: {quiet: 1h}")
    await stormed(place, 120, 2)
    seen: list[str] = []
    path = "/"
    while path:
        text = await place.text(path)
        found = re.findall(r'<td><a href="/incidents/([0-9a-f]+)"', text)
        assert len(found) <= 100
        seen += found
        after = re.search(r'href="([^"]+)" rel="next"', text)
        path = after[1] if after else ""
    assert len(seen) == len(set(seen)) == 120
    whole = await followed(place, "/api/v1/incidents?limit=50", "incidents", "before")
    assert [each["id"] for each in whole] == seen
    episodes = await followed(place, "/api/v1/episodes?limit=70", "episodes", "after")
    assert len({each["id"] for each in episodes}) == len(episodes) == 240
    assert {each["incident"] for each in episodes} == set(seen)
    last = episodes[-1]["first_seen_at"]
    late = (await place.read(f"/api/v1/episodes?since={last}"))["episodes"]
    assert 0 < len(late) < 240


async def followed(place: Place, path: str, name: str, cursor: str) -> list[Any]:
    """Read a list of the API page by page."""
    found: list[Any] = []
    url = URL(path)
    while True:
        page = await place.read(str(url))
        found += page[name]
        if page["next"] is None:
            return found
        url = url.update_query({cursor: page["next"]})


async def test_the_list_can_be_narrowed_to_a_state(start: Start) -> None:
    """A state that does not exist is no state; the pages keep the choice."""
    place = await start("incidents: {quiet: 1h}")
    await stormed(place, 3, 1)
    assert len((await place.read("/api/v1/incidents?state=waiting"))["incidents"]) == 3
    assert (await place.read("/api/v1/incidents?state=closed"))["incidents"] == []
    assert len((await place.read("/api/v1/incidents?state=open"))["incidents"]) == 3
    assert len((await place.read("/api/v1/incidents?state=%27--"))["incidents"]) == 3
    assert "state=waiting&amp;" in await place.text("/?state=waiting&limit=2")


@pytest.mark.parametrize("cursor", ["x", "~", "nan~a", "1e400~a", "1~" + "a" * 900, "1~\x00"])
async def test_a_cursor_that_makes_no_sense_is_harmless(start: Start, cursor: str) -> None:
    """Whatever stands where a page begins, the answer is a page."""
    place = await start()
    for path in ("/", "/quarantine", "/api/v1/incidents", "/api/v1/episodes", "/api/v1/quarantine"):
        names = ("before", "after", "since", "limit", "incident")
        query = dict.fromkeys(names, cursor)
        async with place.session.get((place.url / path[1:]).with_query(query)) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "ask",
    [
        lambda database: views.lines(database, 100),
        lambda database: views.lines(database, 100, state="open"),
        lambda database: views.kept(database, 1000, since=0),
    ],
)
def test_a_storm_is_listed_quickly(tmp_path: Path, ask: Callable[[sa.Connection], Any]) -> None:
    """10,000 episodes in 400 incidents: as many questions as for one, none for whole alerts."""
    with Store(f"sqlite:///{tmp_path}/vigie.db") as store, asyncio.Runner() as runner:
        world = World(store=store, runner=runner)
        world.deliver_together([orjson.dumps(storm("first", 1))])
        few = asked(world, ask)
        world.deliver_together([orjson.dumps(storm(f"t{each}", 25)) for each in range(400)])
        many = asked(world, ask)
        assert len(world.rows("episodes")) == 10_001
    assert len(many) == len(few) < 12
    assert not [each for each in many if "episodes.alert," in each or "episodes.*" in each]


def asked(world: World, ask: Callable[[sa.Connection], Any]) -> list[str]:
    """Give the queries that a view takes."""
    queries: list[str] = []

    def note(*arguments: Any) -> None:
        queries.append(arguments[2])

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        world.read(ask)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    return queries
