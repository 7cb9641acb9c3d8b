"""The pages for people, over HTTP."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from aiohttp import encode_basic_auth
from aiohttp.test_utils import TestClient, TestServer

from exporter import web
from exporter.agent import JuniorAgent
from exporter.canary import Canary
from exporter.fleet import Fleet
from exporter.shown import span
from exporter.target import Chunk, Exchange, State, Target, Times
from tests.exporter.world import World, chat, exchange, http, says
from toolkit.lifecycle import Supervisor
from toolkit.web import load_web_config

Client = TestClient[Any, Any]
HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}\x1b[31m\u202e t0ken-value </pre>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;{{7*7}} &lt;secret&gt; &lt;/pre&gt;"


@asynccontextmanager
async def shown(
    world: World, *targets: Target, settings: Path | None = None
) -> AsyncIterator[tuple[Client, Mapping[str, JuniorAgent]]]:
    """Serve an exporter with these targets, which run only when they are told to."""
    fleet = Fleet(Supervisor(), world.around)
    fleet.started = True
    for target in targets:
        fleet._agents[str(target.name)] = world.agent(target)

    async def reload() -> None: ...

    app = web.build(fleet, world.around, load_web_config(settings, {}), reload)
    async with TestClient(TestServer(app)) as client:
        yield client, fleet._agents


async def text_of(client: Client, path: str) -> str:
    """Return a page, which is held to be sound markup without anything inline that acts."""
    answer = await client.get(path)
    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = await answer.text()
    Sound().feed(page)
    return page


class Sound(HTMLParser):
    """Fails for elements that are left open, scripts, inline styles, and names given twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element's begin."""
        assert tag != "script"
        for name, value in attrs:
            assert name != "style"
            assert not name.startswith("on")
            if name == "id":
                assert value not in self.ids
                self.ids.add(str(value))
        if tag not in {"meta", "link", "input", "br", "option"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element without content."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Look at an element's end."""
        if tag != "option":
            assert self.open.pop() == tag


def plain(page: str) -> str:
    """Return a page's text on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


async def test_hostile_texts_are_escaped_and_secrets_masked() -> None:
    """Whatever an endpoint answers, a label says or a reader asks for is text, never markup."""
    world = World(lambda _: exchange(HOSTILE.encode(), status=500))
    target = http(
        headers={"X-Api-Key": "t0ken-value"},
        labels={"team": "<i>x</i>"},
        url="http://h/p?key=hidden-one",
    )
    async with shown(world, target) as (client, agents):
        await agents["t"].run_once()
        page = await text_of(client, "/targets/t")
        landing = await text_of(client, "/?name=" + "%22%3E%3Cscript%3E")
    assert ESCAPED in page
    assert "&lt;i&gt;x&lt;/i&gt;" in page
    assert 'value="&#34;&gt;&lt;script&gt;"' in landing
    for hidden in ("t0ken-value", "hidden-one", "\x1b", "\u202e", "<i>x"):
        assert hidden not in page + landing


async def test_check_that_quotes_an_answer_masks_it() -> None:
    """What a check says of an answer is as clean as the excerpt."""
    world = World(lambda _: exchange(b'{"<b>t0ken-value": 1}'))
    schema = {"type": "object", "additionalProperties": False}
    target = http(headers={"X-Api-Key": "t0ken-value"}, checks=[{"json_schema": schema}])
    async with shown(world, target) as (client, agents):
        await agents["t"].run_once()
        page = await text_of(client, "/targets/t")
        told = await (await client.get("/api/v1/targets")).text()
    assert "not held" in page
    assert "t0ken-value" not in page + told
    assert "<b>" not in page


async def test_landing_names_each_target_with_its_last_failures() -> None:
    """State, kind, why, the last run and the failures stand in the target's row."""
    codes = iter([503, 200])
    world = World(lambda _: exchange(status=next(codes)))
    async with shown(world, http(), chat().model_copy(update={"name": "new/one"})) as (client, a):
        await a["t"].run_once()
        await a["t"].run_once()
        page = await text_of(client, "/")
        other = await text_of(client, "/?state=unknown")
        answers = [await client.get(f"/?{query}") for query in ("state=x", "page=0", "kind=y")]
    row = plain(page[page.index("<tbody>") :])
    assert row.startswith("new/one ? unknown openai_chat")
    assert "t ✓ ok http h 2001-09-09 02:03:20 UTC 500 ms" in row
    assert "right and within its limits 2001-09-09 02:03:20 UTC http_5xx: status 503" in row
    assert 'href="./targets/new%2Fone"' in page
    assert "new/one" in other
    assert ">t</a>" not in other
    assert [answer.status for answer in answers] == [400, 400, 400]


async def test_target_page_tells_a_stream() -> None:
    """Its verdict with why, its figures, phases and chunks in numbers that fit, its checks."""
    times = Times(
        begin=10.0, end=12.0, connect_begin=10.0, connect_end=10.5, written=10.5, first_byte=11.0
    )
    parts = [f'data: {{"choices":[{{"delta":{{"content":"w{n}"}}}}]}}\n\n' for n in range(4)]
    ends = [*parts, says("x").body.decode()]
    at = (11.0, 11.25, 11.75, 11.875, 12.0)
    chunks = tuple(Chunk(at=t, data=part.encode()) for t, part in zip(at, ends, strict=True))
    headers = {"content-type": "text/event-stream"}
    world = World(lambda _: exchange(times=times, chunks=chunks, headers=headers))
    canary = {"name": "c", "prompt": "p", "checks": [{"regex": "w0"}, {"max_ttft": "100ms"}]}
    target = chat(Canary.model_validate(canary)).model_copy(update={"name": "a/b.c:d"})
    async with shown(world, target) as (client, agents):
        await agents["a/b.c:d"].run_once()
        page = await text_of(client, "/targets/a%2Fb.c:d")
        same = await text_of(client, "/targets/a/b.c:d")
    assert 'href="../static/vigie.css"' in page
    assert 'href="../../static/vigie.css"' in same
    told = plain(page)
    assert "degraded : right, but over a limit." in told
    assert "connect 500 ms; request 0 s; first byte 500 ms; transfer 1 s" in told
    assert 'class="bar" x="96.0" y="4.0" width="130.0"' in page
    assert 'class="bar" x="356.0" y="70.0" width="260.0"' in page
    assert page.count("<circle") == 5
    assert '<rect class="wait" x="421.0" y="-6" width="130.0"' in page
    assert "The longest wait was 500 ms, after chunk 2." in told
    assert "regex held" in told
    assert "max_ttft over its limit" in told


async def test_failed_run_shows_where_it_ended() -> None:
    """The phase that did not end is marked by more than a colour."""
    times = Times(begin=0.0, end=2.0, connect_begin=0.0, connect_end=0.5, written=0.5)

    def answer(_: object) -> Exchange:
        return exchange(times=times, status=None, chunks=(), complete=False)

    async with shown(World(answer), http()) as (client, agents):
        await agents["t"].run_once()
        page = await text_of(client, "/targets/t")
    assert "first byte 1.5 s, not finished" in plain(page)
    assert 'class="bar open"' in page
    assert "1.5 s (cut)" in page


@pytest.mark.parametrize(
    "path", ["/targets/nope", "/targets/%3Cscript%3E", "/targets/", "/static/"]
)
async def test_unknown_name_is_404(path: str) -> None:
    """What is no target has no page, and is not repeated."""
    async with shown(World(lambda _: exchange()), http()) as (client, _):
        answer = await client.get(path)
        assert answer.status in {403, 404}
        assert "script" not in await answer.text()


async def test_pages_have_the_users_of_metrics(tmp_path: Path) -> None:
    """Where users are set, no page is shown to others."""
    settings = tmp_path / "web.yml"
    secret = bcrypt.hashpw(b"pass", bcrypt.gensalt(4)).decode()
    settings.write_text(f"basic_auth_users: {{alice: '{secret}'}}")
    paths = ("/metrics", "/", "/targets/t", "/targets/nope", "/static/vigie.css")
    async with shown(World(lambda _: exchange()), http(), settings=settings) as (client, _):
        strangers = [(await client.get(path)).status for path in paths]
        alice = {"Authorization": encode_basic_auth("alice", "pass")}
        users = [(await client.get(path, headers=alice)).status for path in paths]
    assert strangers == [401] * 5
    assert users == [200, 200, 200, 404, 200]


async def test_style_has_both_lights() -> None:
    """The sheet is served, changes with the reader's setting, and has a look for every state."""
    async with shown(World(lambda _: exchange())) as (client, _):
        answer = await client.get("/static/vigie.css")
        sheet = await answer.text()
        empty = await text_of(client, "/")
    assert answer.content_type == "text/css"
    assert "@media (prefers-color-scheme: dark)" in sheet
    assert all(f".state.{state}" in sheet for state in State)
    assert "0 targets" in empty


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0 s"),
        (1.5e-5, "15 µs"),
        (0.00042, "420 µs"),
        (0.0009999, "1 ms"),
        (0.0123456, "12.3 ms"),
        (0.9999, "1 s"),
        (1.234, "1.23 s"),
        (123.4, "123 s"),
    ],
)
def test_span_has_three_figures(seconds: float | None, text: str) -> None:
    """A duration is written in the unit that fits."""
    assert span(seconds) == text
