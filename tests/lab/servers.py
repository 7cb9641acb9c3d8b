"""Components served in the test's own process, on port 0."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from lab.addresses import SHIPPED
from lab.component import Component, Site

App = TestClient[web.Request, web.Application]
Client = Callable[[TestServer], Awaitable[App]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A component under test: itself, and a client that speaks to it."""

    component: Component
    client: App

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{self.client.host}:{self.client.port}"

    async def metrics(self) -> Mapping[str, float]:
        """Return its samples as `name{label="value",...}`, labels sorted."""
        text = await (await self.client.get("/metrics")).text()
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    async def until(self, name: str, wanted: float) -> None:
        """Wait until a sample has this value; one that is not there counts as zero."""

        async def has() -> bool:
            return (await self.metrics()).get(name, 0.0) == wanted

        await until(has)


async def until(true: Callable[[], Awaitable[bool]], within_seconds: float = 60.0) -> None:
    """Ask again and again until it is true; raises TimeoutError at the deadline."""
    async with asyncio.timeout(within_seconds):
        while not await true():  # noqa: ASYNC110 - what is asked is in other processes, or sockets
            await asyncio.sleep(0.02)


@dataclass(kw_only=True, slots=True)
class Servers:
    """Serves components one after the other; later ones know the addresses of earlier ones."""

    client: Client
    certs_dir: Path
    addresses: dict[str, str] = field(default_factory=lambda: dict.fromkeys(SHIPPED, "127.0.0.1:9"))

    async def serve(self, module: ModuleType) -> Served:
        """Build and serve a component; its first compose name then has its real address."""
        site = Site(addresses=self.addresses, version="1.2.3", certs_dir=self.certs_dir)
        component: Component = module.build(site)
        server = TestServer(component.app)
        await server.start_server(shutdown_timeout=0.1)
        served = Served(component=component, client=await self.client(server))
        if component.listens:
            self.addresses[component.listens[0].name] = served.address
        return served
