"""The web side: metrics, /probe, service discovery, the JSON and the page."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families as parse

from exporter import config, web
from exporter.address import allows
from exporter.agent import Surroundings
from exporter.fleet import Fleet
from exporter.instruments import Instruments
from exporter.transport import open_transport
from tests.exporter.servers import (
    DONE,
    OK,
    STREAM,
    Behaviour,
    delta,
    finished,
    request_of,
    says,
    serving,
    silent,
)
from toolkit.lifecycle import Supervisor
from toolkit.web import load_web_config

Client = TestClient[Any, Any]
RIGHT = says(STREAM, delta("Pa"), delta("ris") + finished() + DONE)
WRONG = says(OK + b"Set-Cookie: session=abcdef\r\nContent-Length: 18\r\n\r\n<b>t0ken-value</b>")

CONFIG = """
defaults: {interval: 200ms, timeout: 100ms}
targets:
  - name: chat
    kind: openai_chat
    url: URL
    model: m
    labels: {service: chat}
    auth: {bearer: {env: TOKEN}}
    canaries: [{name: c, prompt: p, checks: [{regex: Paris}]}]
probe_modules:
  chat:
    kind: openai_chat
    model: m
    timeout: 1s
    allow_targets: ['127.0.0.1:*', '169.254.*.*']
    auth: {bearer: {env: TOKEN}}
    canaries: [{name: c, prompt: p, checks: [{regex: Paris}, {max_ttft: 2s}]}]
  keyed:
    kind: http
    allow_targets: ['127.0.0.1']
    headers: {X-Team: {env: TOKEN}, X-Api-Key: abc-written-out, X-Plain: shown}
  page: {kind: http, allow_targets: ['localhost', '*.example'], timeout: 1s}
  any: {kind: http, allow_targets: ['127.0.0.1'], checks: [{regex: inner.example}]}
  line: {kind: tcp, allow_targets: ['127.0.0.1'], query_response: [{send: hello}]}
"""


@asynccontextmanager
async def exporting(tmp_path: Path, behaviour: Behaviour) -> AsyncIterator[tuple[Client, str]]:
    """Run an exporter whose one target behaves like this; yield a client and its address."""
    path = tmp_path / "exporter.yml"
    instruments = Instruments()
    async with (
        serving(behaviour) as url,
        open_transport() as transport,
        Supervisor() as supervisor,
    ):
        path.write_text(CONFIG.replace("URL", url))
        around = Surroundings(transport=transport, instruments=instruments)
        fleet = Fleet(supervisor, around)
        instruments.watch_fleet(lambda: len(fleet.records), supervisor.deaths)

        async def load() -> None:
            await fleet.take(config.load(path, environ={"TOKEN": "t0ken-value"}))

        await load()
        app = web.build(fleet, around, load_web_config(None, {}), load)
        async with TestClient(TestServer(app)) as client:
            yield client, url


async def until(client: Client, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask for the target until it is so."""
    for _ in range(200):
        answer = await (await client.get("/api/v1/targets")).json()
        target: dict[str, Any] = answer["targets"][0]
        if holds(target):
            return target
        await asyncio.sleep(0.02)
    raise AssertionError(f"not so within 4 s: {target}")


async def test_metrics_are_served_in_both_formats(tmp_path: Path) -> None:
    """Text by default, OpenMetrics when asked for, and gzip where it pays."""
    async with exporting(tmp_path, RIGHT) as (client, _):
        await until(client, lambda target: target["success"] is not None)
        text = await client.get("/metrics")
        assert text.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert text.headers["Content-Encoding"] == "gzip"
        assert 'vigie_probe_success{target="chat"} 1.0' in await text.text()
        accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
        openmetrics = await client.get("/metrics", headers=accept)
        assert "openmetrics-text; version=1.0.0" in openmetrics.headers["Content-Type"]
        assert (await openmetrics.text()).endswith("# EOF\n")


async def test_series_past_the_cap_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration's cap holds for /metrics, and the exporter tells what it left out."""
    monkeypatch.setattr(sys.modules[__name__], "CONFIG", CONFIG + "max_series: 1\n")
    async with exporting(tmp_path, RIGHT) as (client, _):
        text = await (await client.get("/metrics")).text()
    assert "vigie_target_info" not in text
    assert "vigie_exporter_series 0.0" in text
    assert re.search(r"^vigie_exporter_series_left_out [1-9]", text, re.MULTILINE)


async def test_targets_are_told_as_json(tmp_path: Path) -> None:
    """What the responder reads is there, with the last failures, and no secret in them."""
    async with exporting(tmp_path, WRONG) as (client, url):
        target = await until(client, lambda target: bool(target["failures"]))
    assert target["name"] == "chat"
    assert target["host"] == url.removeprefix("http://")
    assert target["labels"] == {"service": "chat"}
    assert (target["state"], target["reason"], target["success"]) == ("down", "bad_json", False)
    failure = target["failures"][0]
    assert failure["excerpt"] == "<b><secret></b>"
    assert set(failure) == {
        "run_id",
        "timestamp_seconds",
        "reason",
        "detail",
        "status_code",
        "phases",
        "excerpt",
    }


async def test_service_discovery_lists_the_targets(tmp_path: Path) -> None:
    """/sd has the form of http_sd."""
    async with exporting(tmp_path, RIGHT) as (client, url):
        groups = await (await client.get("/sd")).json()
    assert groups[0]["targets"] == [url]
    assert groups[0]["labels"]["__meta_vigie_label_service"] == "chat"


async def probed(client: Client, **query: str) -> tuple[int, str]:
    """Ask /probe."""
    answer = await client.get("/probe", params=query)
    return answer.status, await answer.text()


async def test_probe_answers_with_gauges(tmp_path: Path) -> None:
    """One run at once; every family a gauge under the names of blackbox_exporter or probe_llm_*."""
    async with exporting(tmp_path, RIGHT) as (client, url):
        status, text = await probed(client, module="chat", target=url)
    families = {family.name: family for family in parse(text)}
    assert status == 200
    assert {family.type for family in families.values()} == {"gauge"}
    assert families["probe_success"].samples[0].value == 1
    assert families["probe_http_status_code"].samples[0].value == 200
    assert "probe_llm_time_to_first_token_seconds" in families
    assert not [name for name in families if name.startswith("vigie_")]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "module"),
        ({"module": "nope", "target": "127.0.0.1:1"}, "module"),
        ({"module": "chat"}, "target: missing"),
        ({"module": "chat", "target": "127.0.0.2:80"}, "allow_targets"),
        ({"module": "chat", "target": "http://127.0.0.1@evil.example/"}, "credentials"),
        ({"module": "chat", "target": "file:///etc/passwd"}, "not an http address"),
        ({"module": "chat", "target": "http://127.0.0.1:80#.x"}, "fragment"),
        ({"module": "chat", "target": "http://[::1"}, "target"),
        ({"module": "chat", "target": "127.0.0.1:1", "canary": "nope"}, "canary"),
        ({"module": "page", "target": "http://localhost.evil"}, "allow_targets"),
        ({"module": "page", "target": "http://a.b.example"}, "allow_targets"),
    ],
)
async def test_probe_refuses(tmp_path: Path, query: dict[str, str], said: str) -> None:
    """What the configuration does not allow is 400, and nothing is asked."""
    async with exporting(tmp_path, RIGHT) as (client, _):
        status, text = await probed(client, **query)
    assert status == 400
    assert said in text


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the request's own head."""
    head = await request_of(reader)
    writer.write(OK + b"Connection: close\r\n\r\n" + head)
    await writer.drain()
    writer.close()


async def test_probe_asks_an_address_for_a_host(tmp_path: Path) -> None:
    """`hostname` is the Host header, as blackbox_exporter has it; what is no host is refused."""
    async with exporting(tmp_path, echo) as (client, url):
        _, text = await probed(client, module="any", target=url, hostname="inner.example")
        status, said = await probed(client, module="any", target=url, hostname="a b\r\nX: y")
        other, whole = await probed(
            client, module="chat", target=url, hostname="inner.example", debug="true"
        )
    assert "probe_success 1.0" in text
    assert (status, "hostname" in said) == (400, True)
    assert (other, "\nHost: inner.example\n" in whole) == (200, True)


async def test_probe_opens_a_tcp_connection(tmp_path: Path) -> None:
    """A module of the kind tcp takes host:port; without a port it is refused."""
    async with exporting(tmp_path, RIGHT) as (client, url):
        place = url.removeprefix("http://")
        _, text = await probed(client, module="line", target=place)
        status, said = await probed(client, module="line", target="127.0.0.1")
    assert "probe_success 1.0" in text
    assert "probe_http_status_code" not in text
    assert (status, "port" in said) == (400, True)


async def test_probe_refuses_metadata_addresses_even_if_a_pattern_fits(tmp_path: Path) -> None:
    """A pattern does not name an address: link-local ones stay forbidden."""
    async with exporting(tmp_path, RIGHT) as (client, _):
        _, text = await probed(client, module="chat", target="169.254.169.254", debug="true")
    assert "reason: forbidden" in text
    assert "probe_success 0.0" in text


async def test_debug_masks_secrets(tmp_path: Path) -> None:
    """The whole exchange is shown, but no secret: not ours, nor one in a header."""
    async with exporting(tmp_path, WRONG) as (client, url):
        _, text = await probed(client, module="chat", target=url, debug="true")
    assert "status: 200" in text
    assert "<b><secret></b>" in text
    assert "set-cookie: (14 characters)" in text
    assert "t0ken-value" not in text
    assert "abcdef" not in text
    assert "probe_success 0.0" in text


async def test_debug_masks_secret_headers(tmp_path: Path) -> None:
    """A header that is a secret, or is named like one, is sent but not shown."""
    heard: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(heard[0]) + heard[0])
        await writer.drain()

    async with exporting(tmp_path, echo) as (client, url):
        _, text = await probed(client, module="keyed", target=url, debug="true")
    sent = b"".join(heard)
    assert b"X-Team: t0ken-value" in sent
    assert b"X-Api-Key: abc-written-out" in sent
    assert "X-Team: <secret>" in text
    assert "X-Plain: shown" in text
    assert "t0ken-value" not in text
    assert "abc-written-out" not in text


async def test_probe_keeps_the_scrape_timeout(tmp_path: Path) -> None:
    """Half a second before the scraper gives up, the run ends with its reason."""
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": "0.7"}
    async with exporting(tmp_path, silent) as (client, url):
        answer = await client.get(
            "/probe", params={"module": "chat", "target": url}, headers=headers
        )
        text = await answer.text()
    found = {family.name: family for family in parse(text)}
    assert found["probe_duration_seconds"].samples[0].value == pytest.approx(0.2, abs=0.1)
    assert found["probe_failure_reason"].samples[0].labels == {"reason": "timeout_first_token"}


@pytest.mark.parametrize("header", ["", "x", "-1", "0", "nan", "inf", "1e999"])
async def test_odd_scrape_timeout_is_ignored(tmp_path: Path, header: str) -> None:
    """A header that is no time leaves the module's own timeout."""
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": header}
    async with exporting(tmp_path, RIGHT) as (client, url):
        answer = await client.get(
            "/probe", params={"module": "chat", "target": url}, headers=headers
        )
        assert "probe_success 1.0" in await answer.text()


@pytest.mark.parametrize(
    ("pattern", "host", "port", "allowed"),
    [
        ("*", "any.host", 1, True),
        ("a.example", "a.example", 80, True),
        ("A.example", "a.EXAMPLE", 80, True),
        ("a.example", "a.example.evil", 80, False),
        ("a.example", "aXexample", 80, False),
        ("*.example", "a.example", 80, True),
        ("*.example", "a.b.example", 80, False),
        ("a.example:80", "a.example", 81, False),
        ("a.example:*", "a.example", 81, True),
        ("10.0.*.*", "10.0.3.4", 1, True),
        ("10.0.*.*", "10.0.3.4.evil", 1, False),
        ("[::1]", "[::1]", 1, True),
        ("[::1]:8000", "[::1]", 8000, True),
        ("[::1]:8000", "[::1]", 8001, False),
    ],
)
def test_pattern(pattern: str, host: str, port: int, allowed: bool) -> None:  # noqa: FBT001 - a column
    """`*` is a part between dots, alone it is any host; a port is any unless it is named."""
    assert allows(pattern, host, port) is allowed


async def test_reload_takes_the_new_and_keeps_the_old_when_broken(tmp_path: Path) -> None:
    """POST /-/reload: a new target appears; a broken file changes nothing."""
    path = tmp_path / "exporter.yml"
    async with exporting(tmp_path, RIGHT) as (client, url):
        await until(client, lambda target: target["success"] is not None)
        more = f"  - {{name: more, kind: http, url: '{url}'}}\nprobe_modules:"
        path.write_text(path.read_text().replace("probe_modules:", more))
        assert (await client.post("/-/reload")).status == 200
        answer = await (await client.get("/api/v1/targets")).json()
        assert [target["name"] for target in answer["targets"]] == ["chat", "more"]
        assert answer["targets"][0]["success"] is not None
        path.write_text("targets: 7")
        refused = await client.post("/-/reload")
        assert refused.status == 500
        assert "exporter.yml:1: targets: " in await refused.text()
        answer = await (await client.get("/api/v1/targets")).json()
        assert len(answer["targets"]) == 2


async def test_probe_spends_of_the_budget_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run on demand counts; when the day's share is spent it is refused, and says so."""
    monkeypatch.setattr(sys.modules[__name__], "CONFIG", CONFIG + "budget: {tokens_per_day: 100}\n")
    async with exporting(tmp_path, RIGHT) as (client, url):
        query = {"module": "chat", "target": url}
        statuses = [(await client.get("/probe", params=query)).status for _ in range(10)]
        refused = await client.get("/probe", params=query)
        assert set(statuses) <= {200, 503}
        assert statuses.count(200) <= 5  # an hour's share is 4.2 tokens, and each costs one
        assert (refused.status, "spent" in await refused.text()) == (503, True)
