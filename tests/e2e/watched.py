"""A condition that the test sets, Prometheus, Alertmanager and the responder, all real."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web

from lab.installation import ROOT
from lab.stack.configuration import Fit, Shipped
from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from lab.stack.runner import ALERTMANAGER, PROMETHEUS, Stack

RESPONDER = "responder:10918"

_PROMETHEUS = """\
global:
  scrape_interval: 15s
  evaluation_interval: 15s
  external_labels: {region: "north", vigie_url: "http://nowhere"}
rule_files: ["recording/*.yml", "alerts/*.yml"]
alerting:
  alert_relabel_configs: [{action: labeldrop, regex: vigie_url}]
  alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]
scrape_configs:
  - job_name: conditions
    static_configs: [{targets: ["conditions:8000"]}]
"""
_ALERTS = """\
groups:
  - name: conditions
    rules:
      - {alert: Condition, expr: "condition{kind='ours'} == 1", labels: {severity: warning}}
      - {alert: Elsewhere, expr: "condition{kind='theirs'} == 1", labels: {severity: warning}}
      - {alert: VigieWatchdog, expr: "vector(1)"}
"""
_RECORDING = "groups: []\n"


def _alertmanager(max_alerts: int, group_by: Sequence[str]) -> str:
    webhook = {"url": f"http://{RESPONDER}/webhook/alertmanager", "max_alerts": max_alerts}
    document = {
        "route": {
            "receiver": "nobody",
            "group_by": list(group_by),
            "group_wait": "15s",
            "group_interval": "30s",
            "repeat_interval": "4h",
            "routes": [{"receiver": "ours", "matchers": ['alertname!="Elsewhere"']}],
        },
        "receivers": [{"name": "nobody"}, {"name": "ours", "webhook_configs": [webhook]}],
    }
    return yaml.safe_dump(document)


@dataclass(kw_only=True, slots=True)
class Runs:
    """A target's runs as a junior counts them: one with each scrape, as long as is set."""

    seconds: float
    total: float = 0.0
    count: int = 0

    def lines(self, target: str) -> str:
        """Make a run, and write down all so far."""
        self.total, self.count = self.total + self.seconds, self.count + 1
        family, about = "vigie_probe_duration_seconds", f'{{target="{target}"}}'
        return (
            f"# TYPE {family} histogram\n"
            f'{family}_bucket{{target="{target}",le="+Inf"}} {self.count}\n'
            f"{family}_sum{about} {self.total!r}\n{family}_count{about} {self.count}\n"
        )


@dataclass(kw_only=True, slots=True)
class Conditions:
    """What Prometheus scrapes: conditions by kind and target, each true or not."""

    true: dict[tuple[str, str], int] = field(default_factory=dict)
    runs: dict[str, Runs] = field(default_factory=dict)

    async def expose(self, _request: web.Request) -> web.Response:
        """Answer a scrape."""
        lines = [
            f'condition{{kind="{kind}",target="{target}"}} {value}\n'
            for (kind, target), value in self.true.items()
        ]
        runs = [each.lines(target) for target, each in self.runs.items()]
        return web.Response(text="# TYPE condition gauge\n" + "".join([*lines, *runs]))

    def fires(self, target: str, *, kind: str = "ours") -> None:
        """Let a condition be true."""
        self.true[kind, target] = 1

    def clears(self, target: str, *, kind: str = "ours") -> None:
        """Let a condition be over."""
        self.true[kind, target] = 0


class Watched:
    """All of it for the time of an `async with`."""

    def __init__(
        self,
        folder: Path,
        programs: Mapping[str, Path],
        *,
        factor: float = 15.0,
        max_alerts: int = 0,
        group_by: Sequence[str] = ("alertname",),
        comparison: Mapping[str, str] | None = None,
        patrol: Mapping[str, Any] | None = None,
    ) -> None:
        """Choose the addresses."""
        self.folder = folder
        self.conditions = Conditions()
        self.addresses = free_addresses((RESPONDER, PROMETHEUS, ALERTMANAGER, "conditions:8000"))
        self._comparison = dict(comparison or {"interval": "1s", "grace": "5s"})
        self._patrol = dict(patrol or {"enabled": False})
        shipped = self._shipped(_alertmanager(max_alerts, group_by))
        fit = Fit(addresses=self.addresses, factor=factor)
        self.stack = Stack(programs=programs, folder=folder / "stack", shipped=shipped, fit=fit)
        self.responder = self._responder()
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start it, the responder before what sends to it."""
        async with contextlib.AsyncExitStack() as stack:
            self.session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
            app = web.Application()
            app.router.add_get("/metrics", self.conditions.expose)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            host, port = self.addresses["conditions:8000"].split(":")
            await web.TCPSite(runner, host, int(port)).start()
            stack.push_async_callback(self.responder.stop)
            await self.responder.start()
            await stack.enter_async_context(self.stack)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(self, *reason: object) -> None:
        """Stop it."""
        await self._exit.aclose()

    async def read(self, path: str) -> Any:
        """Get JSON of the responder."""
        async with self.session.get(f"http://{self.addresses[RESPONDER]}{path}") as response:
            return await response.json()

    async def text(self, path: str) -> str:
        """Get text of the responder."""
        async with self.session.get(f"http://{self.addresses[RESPONDER]}{path}") as response:
            return await response.text()

    async def episodes(self) -> list[dict[str, Any]]:
        """Give all episodes, each with its incident's id."""
        found = (await self.read("/api/v1/incidents"))["incidents"]
        details = [await self.read(f"/api/v1/incidents/{each['id']}") for each in found]
        return [
            {**episode, "incident": incident["id"]}
            for incident in details
            for episode in incident["episodes"]
        ]

    async def about(self, target: str) -> list[dict[str, Any]]:
        """Give the episodes of a target."""
        found = await self.episodes()
        return [each for each in found if each["alert"]["labels"].get("target") == target]

    async def metric(self, name: str) -> float:
        """Give one sample of the responder."""
        lines = (await self.text("/metrics")).splitlines()
        return next(float(each.rpartition(" ")[2]) for each in lines if each.startswith(name + " "))

    async def counts(self, kind: str, count: int) -> None:
        """Wait until so many gaps of a kind are counted: just after they are stored.

        What Alertmanager tells us itself is no gap, however late it comes.
        """
        name = f'vigie_responder_comparison_gaps_total{{kind="{kind}"}}'

        async def is_so() -> bool:
            return await self.metric(name) == count

        await eventually(is_so, f"{count} {kind} gaps", 30)

    async def firing(self) -> set[str]:
        """Give the targets whose alerts fire in Prometheus."""
        url = f"{self.stack.prometheus_url}/api/v1/query"
        async with self.session.get(
            url, params={"query": 'ALERTS{alertstate="firing"}'}
        ) as response:
            result = (await response.json())["data"]["result"]
        return {each["metric"].get("target", "") for each in result}

    async def listed(self) -> set[str]:
        """Give the targets whose alerts are active in Alertmanager."""
        url = f"http://{self.addresses[ALERTMANAGER]}/api/v2/alerts"
        async with self.session.get(url) as response:
            return {each["labels"].get("target", "") for each in await response.json()}

    def _shipped(self, alertmanager: str) -> Shipped:
        rules = self.folder / "rules"
        texts = {
            "prometheus.yml": _PROMETHEUS,
            "alertmanager.yml": alertmanager,
            "alerts/conditions.yml": _ALERTS,
            "recording/none.yml": _RECORDING,
        }
        for name, text in texts.items():
            (rules / name).parent.mkdir(parents=True, exist_ok=True)
            (rules / name).write_text(text, encoding="utf-8")
        return Shipped(rules=rules)

    def _responder(self) -> Process:
        address = self.addresses[RESPONDER]
        settings = {
            "database": "vigie.db",
            "external_url": f"http://{address}",
            "incidents": {"quiet": "1s"},
            "comparison": self._comparison,
            "patrol": self._patrol,
            "channels": [{"kind": "log"}],
            "sources": [
                {"kind": "prometheus", "url": f"http://{self.addresses[PROMETHEUS]}"},
                {"kind": "alertmanager", "url": f"http://{self.addresses[ALERTMANAGER]}"},
            ],
        }
        text = yaml.safe_dump(settings)
        (self.folder / "responder.yml").write_text(text, encoding="utf-8")
        argv = ("-m", "responder", "--config.file=responder.yml")
        return Process(
            Launch(
                name="responder",
                argv=(sys.executable, *argv, f"--web.listen-address={address}"),
                folder=self.folder,
                log=self.folder / "responder.log",
                ready_url=f"http://{address}/-/ready",
                environ={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        )


async def eventually(
    ask: Callable[[], Awaitable[Any]], what: str, within_seconds: float = 120.0
) -> Any:
    """Ask until the answer is true; raises AssertionError that names what was awaited."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        answer = await ask()
        if answer:
            return answer
        await asyncio.sleep(0.2)
    raise AssertionError(f"{what}: not within {within_seconds} s")
