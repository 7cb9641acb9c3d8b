"""Targets that are found: in files, over HTTP, and what becomes of lists that are odd."""

from __future__ import annotations

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
from exporter.discovery import read
from exporter.finding import Finder
from exporter.fleet import Fleet
from exporter.instruments import Instruments
from exporter.probes.openai_chat import OpenAIChat
from exporter.sharding import Shard
from exporter.transport import open_transport
from toolkit.lifecycle import Supervisor
from toolkit.problem import ConfigError

TEMPLATE = OpenAIChat(model="m", labels={"team": "search", "zone": "a"})


def test_a_list_becomes_targets() -> None:
    """The template gives the kind; the list gives address, labels, and where it says so a model."""
    groups = [
        {"targets": ["10.0.0.1:8000", "https://h.example/v1"], "labels": {"zone": "b"}},
        {"targets": ["h2"], "labels": {"__vigie_model": "m2", "__vigie_name": "two", "__x": "y"}},
    ]
    listed = read([groups], TEMPLATE)
    assert listed.problems == ()
    found = [(each.name, each.url, each.model_name) for each in listed.targets]
    assert found == [
        ("10.0.0.1:8000", "http://10.0.0.1:8000", "m"),
        ("h.example/v1", "https://h.example/v1", "m"),
        ("two", "http://h2", "m2"),
    ]
    assert dict(listed.targets[0].labels) == {"team": "search", "zone": "b"}
    assert dict(listed.targets[2].labels) == {"team": "search", "zone": "a"}


@pytest.mark.parametrize(
    "group",
    [
        3,
        {"labels": {}},
        {"targets": "h"},
        {"targets": ["h"], "labels": 3},
        {"targets": ["ftp://h"]},
        {"targets": ["http://u:p@h"]},
        {"targets": ["h\nx"]},
        {"targets": ["good"]},
        {"targets": ["h"], "labels": {"bad-name": "x"}},
        {"targets": ["h"], "labels": {"l": "x" * 300}},
        {"targets": [None]},
    ],
)
def test_an_entry_that_is_none_loses_nothing_else(group: Any) -> None:
    """It is named, and the others are there."""
    listed = read([[{"targets": ["good"]}, group], "no list"], TEMPLATE)
    assert listed.targets[0].name == "good"
    assert len(listed.problems) + len(listed.targets) in {3, 4}
    assert "not a list of target groups" in listed.problems


class Place:
    """A server with a list, and a folder with lists; time is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer: Any = []
        self.status = 200
        self.asked = 0
        self.now = 0.0
        self.instruments = Instruments()

    async def serve(self, _request: web.Request) -> web.StreamResponse:
        """Answer with the list."""
        self.asked += 1
        if isinstance(self.answer, bytes):
            return web.Response(body=self.answer, status=self.status)
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


@pytest.mark.parametrize("answer", [b"no json", b'{"a": 1}', b""])
async def test_a_list_that_fails_changes_nothing(tmp_path: Path, answer: bytes) -> None:
    """The last one holds; the failure, or what of the list is no target, is counted."""
    place = Place(tmp_path)
    place.answer = [{"targets": ["h1"]}]
    async with finding(place) as (finder, fleet):
        place.answer, place.status = answer, 503
        place.now = 31.0
        await finder.look()
        assert names(fleet) == ["fixed", "h1"]
        assert place.value("failures_total", "service") == 1
        (tmp_path / "lists" / "a.yml").write_text("a: [")
        place.now = 62.0
        await finder.look()
        assert names(fleet) == ["fixed", "h1"]
        assert place.value("failures_total", "folder") == 1


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
    ],
)
def test_a_place_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """With its line."""
    path = tmp_path / "exporter.yml"
    path.write_text(f"discovery:\n  - {text}\n")
    with pytest.raises(ConfigError) as refused:
        config.load(path, environ={})
    assert "exporter.yml:2" in str(refused.value)
    assert said in str(refused.value)
