"""Targets that are found: in files, over HTTP, and what becomes of lists that are odd."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from exporter import config
from exporter.agent import Surroundings
from exporter.finding import Finder
from exporter.fleet import Fleet
from exporter.instruments import Instruments
from exporter.sharding import Shard
from exporter.transport import open_transport
from toolkit.lifecycle import Supervisor
from toolkit.problem import ConfigError


class Place:
    """A server with a list, and a folder with lists; time is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer: Any = []
        self.status = 200
        self.asked = 0
        self.now = 0.0
        self.instruments = Instruments()
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()

    async def serve(self, _request: web.Request) -> web.StreamResponse:
        """Answer with the list."""
        self.asked += 1
        self.arrived.set()
        await self.gate.wait()
        if isinstance(self.answer, bytes):
            return web.Response(
                body=self.answer, status=self.status, content_type="application/json"
            )
        return web.json_response(self.answer, status=self.status)

    def value(self, name: str, discovery: str) -> float | None:
        """Give one of the metrics."""
        return self.instruments.registry.get_sample_value(
            f"vigie_exporter_discovery_{name}", {"discovery": discovery}
        )


CONFIG = """
targets:
  - {name: fixed, kind: http, url: 'http://127.0.0.1:1'}
discovery:
  - {kind: files, name: folder, paths: ['lists/*.json', 'lists/*.yml'], template: {kind: http}}
  - kind: http_sd
    name: service
    url: URL
    refresh: 30s
    template: {kind: openai_chat, model: m, interval: 5m}
"""


@asynccontextmanager
async def finding(place: Place, shard: Shard | None = None) -> AsyncIterator[tuple[Finder, Fleet]]:
    """Run a fleet whose targets are found."""
    (place.folder / "lists").mkdir()
    app = web.Application()
    app.router.add_get("/sd", place.serve)
    async with TestServer(app) as server, open_transport() as transport, Supervisor() as supervisor:
        path = place.folder / "exporter.yml"
        path.write_text(CONFIG.replace("URL", str(server.make_url("/sd"))))
        around = Surroundings(transport=transport, instruments=place.instruments)
        fleet = Fleet(supervisor, around)
        finder = Finder(
            fleet,
            transport,
            place.instruments,
            shard=shard or Shard(clock=lambda: place.now),
            clock=lambda: place.now,
            wall_clock=lambda: place.now + 1e9,
        )
        await finder.take(config.load(path, environ={}))
        yield finder, fleet


def names(fleet: Fleet) -> list[str]:
    """Give the names of the targets that are watched."""
    return [str(record.target.name) for record in fleet.records]


async def test_what_is_listed_is_watched_and_what_is_not_any_more_is_not(tmp_path: Path) -> None:
    """Files and the server are looked at in their time; agents of what stays go on."""
    place = Place(tmp_path)
    place.answer = [{"targets": ["h1", "h2"]}]
    async with finding(place) as (finder, fleet):
        assert names(fleet) == ["fixed", "h1", "h2"]
        kept = fleet.record("fixed")
        (tmp_path / "lists" / "a.yml").write_text("- {targets: [f1], labels: {team: t}}\n")
        (tmp_path / "lists" / "b.json").write_text(json.dumps([{"targets": ["f2", "h1"]}]))
        place.answer = [{"targets": ["h1"]}]
        await finder.look()
        assert names(fleet) == ["fixed", "h1", "h2"]
        place.now = 31.0
        await finder.look()
        assert names(fleet) == ["fixed", "h1"]
        place.now = 61.0
        await finder.look()
        assert names(fleet) == ["f1", "f2", "fixed", "h1"]
        assert fleet.record("fixed") is kept
        found = fleet.record("f1")
        assert found is not None
        assert found.target.labels == {"team": "t"}
        assert place.value("targets", "service") == 1
        assert place.value("last_success_timestamp_seconds", "folder") == 1e9 + 61


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("answer", [b"no json", b'{"a": 1}', b""])
async def test_a_list_that_fails_changes_nothing(
    tmp_path: Path, answer: bytes, status: int
) -> None:
    """The last one holds, also where the answer is none and says it is one."""
    place = Place(tmp_path)
    place.answer = [{"targets": ["h1"]}]
    async with finding(place) as (finder, fleet):
        assert place.value("last_look_successful", "service") == 1
        place.answer, place.status = answer, status
        place.now = 31.0
        await finder.look()
        assert names(fleet) == ["fixed", "h1"]
        assert place.value("failures_total", "service") == 1
        assert place.value("last_look_successful", "service") == 0
        (tmp_path / "lists" / "a.yml").write_text("a: [")
        place.now = 62.0
        await finder.look()
        assert names(fleet) == ["fixed", "h1"]
        assert place.value("failures_total", "folder") == 1


async def test_other_settings_keep_what_was_found_until_the_place_is_asked(tmp_path: Path) -> None:
    """A reload while the place is gone leaves no gap, and what is kept has the new settings."""
    place = Place(tmp_path)
    place.answer = [{"targets": ["h1"]}]
    async with finding(place) as (finder, fleet):
        place.status = 503
        path = tmp_path / "exporter.yml"
        path.write_text(path.read_text().replace("interval: 5m", "interval: 7m"))
        await finder.take(config.load(path, environ={}))
        assert names(fleet) == ["fixed", "h1"]
        record = fleet.record("h1")
        assert record is not None
        assert record.target.interval_seconds == 420
        place.answer, place.status, place.now = [], 200, 31.0
        await finder.look()
        assert names(fleet) == ["fixed"]


async def test_a_slow_place_delays_no_other(tmp_path: Path) -> None:
    """While one is asked, the folder is read in its time, and a shard's move is taken."""
    place = Place(tmp_path)
    async with finding(place) as (finder, fleet):
        place.answer = [{"targets": ["h1"]}]
        place.gate.clear()
        place.now = 31.0
        place.arrived.clear()
        slow = asyncio.create_task(finder.look())
        await place.arrived.wait()
        (tmp_path / "lists" / "a.yml").write_text("- {targets: [f1]}\n")
        place.now = 130.0
        await finder.look()
        assert names(fleet) == ["f1", "fixed"]
        assert place.asked == 2
        place.gate.set()
        await slow
        assert names(fleet) == ["f1", "fixed", "h1"]


async def test_a_slow_place_holds_up_no_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the configuration is run, and the place is asked again at the next look."""
    monkeypatch.setattr("exporter.finding._FIRST_SECONDS", 0.05)
    place = Place(tmp_path)
    place.answer = [{"targets": ["h1"]}]
    place.gate.clear()
    async with finding(place) as (finder, fleet):
        assert names(fleet) == ["fixed"]
        place.gate.set()
        await finder.look()
        assert names(fleet) == ["fixed", "h1"]


async def test_an_answer_to_a_question_of_before_the_reload_is_not_taken(tmp_path: Path) -> None:
    """What arrives for a place that is configured otherwise by then is dropped."""
    place = Place(tmp_path)
    async with finding(place) as (finder, fleet):
        place.answer = [{"targets": ["h1"]}]
        place.gate.clear()
        place.now = 31.0
        place.arrived.clear()
        slow = asyncio.create_task(finder.look())
        await place.arrived.wait()
        (tmp_path / "exporter.yml").write_text(CONFIG.split("discovery:", maxsplit=1)[0])
        await finder.take(config.load(tmp_path / "exporter.yml", environ={}))
        place.gate.set()
        await slow
        assert names(fleet) == ["fixed"]
        assert place.value("targets", "service") is None


async def test_a_place_that_is_not_configured_any_more_leaves_nothing(tmp_path: Path) -> None:
    """Neither targets nor metrics."""
    place = Place(tmp_path)
    place.answer = [{"targets": ["h1"]}]
    async with finding(place) as (finder, fleet):
        path = tmp_path / "exporter.yml"
        path.write_text(path.read_text().partition("  - kind: http_sd")[0])
        await finder.take(config.load(path, environ={}))
        assert names(fleet) == ["fixed"]
        assert place.value("targets", "service") is None
        assert place.value("last_look_successful", "service") is None
        assert place.value("targets", "folder") == 0


async def test_an_entry_that_is_no_target_is_counted(tmp_path: Path) -> None:
    """On the exporter's metrics, while the rest is watched."""
    place = Place(tmp_path)
    place.answer = [{"targets": ["h1", 3]}, {"labels": {}}, {"targets": ["h2"]}]
    async with finding(place) as (_, fleet):
        assert names(fleet) == ["fixed", "h1", "h2"]
        assert place.value("targets", "service") == 2
        assert place.value("refused", "service") == 2


async def test_a_shard_watches_its_share(tmp_path: Path) -> None:
    """Of what is configured and of what is found; two shards have all of it."""
    listed = [{"targets": [f"h{number}" for number in range(20)]}]
    seen = []
    for ordinal in range(2):
        folder = tmp_path / str(ordinal)
        folder.mkdir()
        place = Place(folder)
        place.answer = listed
        shard = Shard(ordinal=ordinal, count=2, clock=lambda: 0.0)
        async with finding(place, shard) as (_, fleet):
            seen.append(set(names(fleet)))
    assert not seen[0] & seen[1]
    assert seen[0] | seen[1] == {"fixed", *(f"h{number}" for number in range(20))}
    assert all(seen)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{kind: files, name: a, paths: [], template: {kind: http}}", "paths"),
        ("{kind: files, name: a, paths: [x], template: {kind: http, url: 'http://h'}}", "from the"),
        ("{kind: files, name: a, paths: [x], template: {kind: http, timeout: 1h}}", "timeout"),
        ("{kind: file, name: a, paths: [x], template: {kind: http}}", "files"),
        ("{kind: http_sd, name: a, url: 'ftp://h', template: {kind: http}}", "url"),
        ("{kind: http_sd, name: a, url: 'http://h'}", "template"),
        ("{TEMPLATED http, headers: {X-Key: k}}}", "credentials would go to any host"),
        (
            "{TEMPLATED http, native: {url: 'http://n', server: tgi, auth: {bearer: {env: KEY}}}}}",
            "credentials would go to any host",
        ),
        ("{TEMPLATED http, budget: {skip_if_waiting_over: 3}}}", "nobody tells"),
        ("{TEMPLATED http}, relabel: [{action: keep, regex: '('}]}", "regular expression"),
    ],
)
def test_a_place_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """With its line."""
    path = tmp_path / "exporter.yml"
    text = text.replace("TEMPLATED", "kind: files, name: a, paths: [x], template: {kind:")
    path.write_text(f"discovery:\n  - {text}\n")
    with pytest.raises(ConfigError) as refused:
        config.load(path, environ={"KEY": "sk-1"})
    assert "exporter.yml:2" in str(refused.value)
    assert said in str(refused.value)
