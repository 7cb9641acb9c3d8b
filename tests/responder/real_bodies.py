"""What real Alertmanagers post: alerts given to one, and what it then sends to a webhook."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process

_LONGEST_SECONDS = 60


class _Sink:
    """A webhook that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._taken = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        """Keep a body."""
        self.bodies.append(await request.read())
        self._taken.set()
        return web.Response()

    async def until(self, count: int) -> None:
        """Wait until so many have come."""
        async with asyncio.timeout(_LONGEST_SECONDS):
            while len(self.bodies) < count:
                self._taken.clear()
                await self._taken.wait()


async def recorded(program: Path, folder: Path) -> Sequence[bytes]:
    """Start the Alertmanager *program* in *folder*, give it alerts, and give what it posts.

    Three alerts of one group fire, of which two are cut from the post of the second receiver, and
    end.
    """
    sink, app = _Sink(), web.Application()
    app.router.add_post("/{receiver}", sink.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    address = free_addresses(["alertmanager"])["alertmanager"]
    (folder / "alertmanager.yml").write_text(
        yaml.safe_dump(_configuration(f"http://127.0.0.1:{port}")), encoding="utf-8"
    )
    process = Process(_launch(program, folder, address))
    await process.start()
    try:
        async with aiohttp.ClientSession() as session:
            await _post(session, address, ends_at=None)
            await sink.until(2)
            await _post(session, address, ends_at=time.time() - 1)
            await sink.until(4)
    finally:
        await process.stop()
        await runner.cleanup()
    return tuple(sink.bodies)


def _configuration(url: str) -> dict[str, Any]:
    whole = {"name": "vigie", "webhook_configs": [{"url": f"{url}/whole", "send_resolved": True}]}
    cut = {"name": "cut", "webhook_configs": [{"url": f"{url}/cut", "max_alerts": 1}]}
    route = {"group_by": ["target"], "group_wait": "100ms", "group_interval": "500ms"}
    routes = [{"receiver": "cut", "continue": True}, {"receiver": "vigie"}]
    return {
        "route": {"receiver": "vigie", **route, "repeat_interval": "4h", "routes": routes},
        "receivers": [whole, cut],
    }


def _launch(program: Path, folder: Path, address: str) -> Launch:
    return Launch(
        name="alertmanager",
        argv=(
            str(program),
            "--config.file=alertmanager.yml",
            f"--web.listen-address={address}",
            f"--storage.path={folder / 'data'}",
            "--cluster.listen-address=",
        ),
        folder=folder,
        log=folder / "alertmanager.log",
        ready_url=f"http://{address}/-/ready",
    )


async def _post(session: aiohttp.ClientSession, address: str, ends_at: float | None) -> None:
    alerts = [_alert(name, ends_at) for name in ("VigieTargetDegraded", "VigieCanary", "Élan")]
    url = f"http://{address}/api/v2/alerts"
    async with session.post(url, json=alerts) as response:
        assert response.status == 200, await response.text()


def _alert(name: str, ends_at: float | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "labels": {"alertname": name, "target": "chat", "severity": "warning"},
        "annotations": {"summary": "slow “answers”", "runbook_url": f"http://x/runbooks/{name}"},
        "generatorURL": "http://prometheus.example/graph?g0.expr=up%3D%3D0&g0.tab=1",
        "startsAt": datetime.fromtimestamp(time.time() - 60, UTC).isoformat(),
    }
    if ends_at is not None:
        made["endsAt"] = datetime.fromtimestamp(ends_at, UTC).isoformat()
    return made
