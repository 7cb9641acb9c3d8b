"""The stack runner on the real Prometheus and Alertmanager: an alert goes its whole way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpServer

from lab.stack.configuration import Fit, Shipped
from lab.stack.errors import StackError
from lab.stack.runner import Stack

PROMETHEUS = """\
global:
  scrape_interval: 15s
  evaluation_interval: 15s
rule_files: ["recording/*.yml", "alerts/*.yml"]
alerting:
  alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["prometheus:9090"]}]
  - job_name: found
    file_sd_configs: [{files: ["targets/*.yml"]}]
"""
ALERTMANAGER = """\
global: {resolve_timeout: 5m}
route: {receiver: sink, group_by: [alertname], group_wait: 15s, group_interval: 1m}
receivers:
  - name: sink
    webhook_configs: [{url: "http://responder:10918/webhook", max_alerts: 0}]
"""
RECORDING = """\
groups:
  - name: recording
    rules:
      - record: job:up:sum
        expr: sum by (job) (max_over_time(up[1m]))
"""
ALERTS = """\
groups:
  - name: alerts
    rules:
      - alert: NobodyThere
        expr: job:up:sum{job="found"} == 0
        for: 30s
        annotations:
          runbook_url: "{{ $externalLabels.vigie_url }}/runbooks/NobodyThere"
"""
WITHIN_SECONDS = 120.0


@pytest.fixture
def shipped(tmp_path: Path) -> Shipped:
    """Give a small configuration: one target that nobody serves, one alert about it."""
    rules = tmp_path / "rules"
    for name, text in {
        "prometheus.yml": PROMETHEUS,
        "alertmanager.yml": ALERTMANAGER,
        "recording/up.yml": RECORDING,
        "alerts/up.yml": ALERTS,
    }.items():
        (rules / name).parent.mkdir(parents=True, exist_ok=True)
        (rules / name).write_text(text)
    targets = tmp_path / "found.yml"
    targets.write_text('- targets: ["chat:8000"]\n  labels: {service: chat}\n')
    return Shipped(rules=rules, targets=(targets,))


async def _sink(aiohttp_server: AiohttpServer) -> tuple[str, asyncio.Queue[Any]]:
    """Start a receiver of webhooks on a free port; returns its address and what it hears."""
    heard: asyncio.Queue[Any] = asyncio.Queue(maxsize=100)

    async def take(request: web.Request) -> web.Response:
        await heard.put(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/webhook", take)
    server = await aiohttp_server(app)
    return f"127.0.0.1:{server.port}", heard


async def test_a_rule_fires_through_alertmanager_to_a_webhook(
    programs: Mapping[str, Path], shipped: Shipped, tmp_path: Path, aiohttp_server: AiohttpServer
) -> None:
    """Needs the stack: a dead target's alert, scaled and with real addresses, reaches the sink."""
    address, heard = await _sink(aiohttp_server)
    fit = Fit(
        addresses={"responder:10918": address, "chat:8000": "127.0.0.1:9"},
        external_labels={"vigie_url": f"http://{address}"},
    )
    async with Stack(programs=programs, folder=tmp_path, shipped=shipped, fit=fit) as stack:
        alert = (await asyncio.wait_for(heard.get(), timeout=WITHIN_SECONDS))["alerts"][0]
        assert alert["labels"]["alertname"] == "NobodyThere"
        assert alert["status"] == "firing"
        assert alert["annotations"]["runbook_url"] == f"http://{address}/runbooks/NobodyThere"
        assert alert["generatorURL"].startswith(stack.prometheus_url)
    for server in (stack.prometheus, stack.alertmanager):
        assert server.pid is None
        assert server.launch.log.stat().st_size > 0


async def test_a_posted_alert_is_delivered(
    programs: Mapping[str, Path], shipped: Shipped, tmp_path: Path, aiohttp_server: AiohttpServer
) -> None:
    """Needs the stack: what is posted to Alertmanager's API is sent on in its webhook format."""
    address, heard = await _sink(aiohttp_server)
    fit = Fit(addresses={"responder:10918": address})
    async with (
        Stack(programs=programs, folder=tmp_path, shipped=shipped, fit=fit) as stack,
        aiohttp.ClientSession() as session,
    ):
        url = f"{stack.alertmanager_url}/api/v2/alerts"
        posted = [{"labels": {"alertname": "Posted", "target": "chat"}}]
        async with session.post(url, json=posted) as answer:
            assert answer.status == 200
        delivery = await asyncio.wait_for(heard.get(), timeout=WITHIN_SECONDS)
        assert delivery["version"] == "4"
        assert delivery["externalURL"] == stack.alertmanager_url
        assert delivery["alerts"][0]["labels"] == posted[0]["labels"]


async def test_rules_that_promtool_refuses_start_nothing(
    programs: Mapping[str, Path], shipped: Shipped, tmp_path: Path
) -> None:
    """Needs the stack: promtool's words name the rule file."""
    broken = "groups: [{name: a, rules: [{alert: A, expr: 'sum('}]}]\n"
    (shipped.rules / "alerts" / "up.yml").write_text(broken)
    stack = Stack(programs=programs, folder=tmp_path, shipped=shipped, fit=Fit())
    with pytest.raises(StackError, match="promtool check config") as error:
        await stack.__aenter__()
    assert "alerts/up.yml" in str(error.value)
    assert stack.alertmanager.pid is None


async def test_routes_that_amtool_refuses_start_nothing(
    programs: Mapping[str, Path], shipped: Shipped, tmp_path: Path
) -> None:
    """Needs the stack: amtool's words name the receiver that is missing."""
    (shipped.rules / "alertmanager.yml").write_text("route: {receiver: nobody}\n")
    stack = Stack(programs=programs, folder=tmp_path, shipped=shipped, fit=Fit())
    with pytest.raises(StackError, match="amtool check-config") as error:
        await stack.__aenter__()
    assert "nobody" in str(error.value)
    assert stack.prometheus.pid is None
