"""One soak: the endpoints and the exporter as processes of their own, watched, then judged."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson

from lab.soak.account import Account, read
from lab.soak.memory import Held, cpu_seconds, rss_bytes
from lab.soak.plan import Plan, name_of
from lab.soak.verdict import Evidence
from lab.stack.errors import StackError
from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process

ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 120.0
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 1.0
_ANSWER_SECONDS = 60.0
_PORTS = ("plain", "mute", "shut", "exporter")

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Where a soak runs: its folder, for how long, how often metrics are read, whose code.

    `scrape_seconds` 0 reads them at the end alone.
    """

    folder: Path
    environ: Mapping[str, str]
    seconds: float = 600.0
    scrape_seconds: float = 15.0
    root: Path = ROOT


@dataclass(kw_only=True, slots=True)
class _Site:
    """The two processes, and where they are."""

    endpoints: Process
    exporter: Process
    addresses: Mapping[str, str]
    session: aiohttp.ClientSession
    scrapes: int = 0
    slowest_scrape_seconds: float = 0.0
    samples: list[Held] = field(default_factory=list)

    def exporter_pid(self) -> int:
        self.endpoints.check()
        self.exporter.check()
        if self.exporter.pid is None:
            raise StackError("exporter", "does not run", f"see {self.exporter.launch.log}")
        return self.exporter.pid


async def soak(plan: Plan, setting: Setting, tell: Tell) -> Evidence:
    """Run it; raises StackError when a process does not start or ends by itself."""
    async with _site(plan, setting, tell) as site:
        tell(f"{plan.targets} targets are asked every {plan.interval_seconds:g} s")
        began, used = time.monotonic(), cpu_seconds(site.exporter_pid())
        await _watch(site, setting, began, tell)
        until = time.monotonic()
        used = cpu_seconds(site.exporter_pid()) - used
        arrivals = await _arrivals(site)
        account = await _account(site)
        stopping = time.monotonic()
        await site.exporter.stop(_STOP_SECONDS)
        return Evidence(
            plan=plan,
            arrivals=arrivals,
            account=account,
            samples=site.samples,
            since=began,
            until=until,
            cpu_seconds=used,
            scrapes=site.scrapes,
            slowest_scrape_seconds=site.slowest_scrape_seconds,
            stop_seconds=time.monotonic() - stopping,
        )


@contextlib.asynccontextmanager
async def _site(plan: Plan, setting: Setting, tell: Tell) -> AsyncIterator[_Site]:
    addresses = free_addresses(_PORTS)
    ports = {name: int(each.rpartition(":")[2]) for name, each in addresses.items()}
    written = plan.configuration({door: ports[door] for door in ("plain", "mute", "shut")})
    config = setting.folder / "exporter.yml"
    config.write_bytes(orjson.dumps(written, option=orjson.OPT_INDENT_2))  # JSON is YAML
    endpoints = _process(
        setting,
        "endpoints",
        ("lab.soak", "--serve", str(ports["plain"]), str(ports["mute"])),
        f"http://{addresses['plain']}/-/ready",
    )
    exporter = _process(
        setting,
        "exporter",
        ("exporter", f"--config.file={config}", f"--web.listen-address={addresses['exporter']}"),
        f"http://{addresses['exporter']}/-/ready",
    )
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        for process in (endpoints, exporter):
            stack.push_async_callback(process.stop)
            began = time.monotonic()
            await process.start(_READY_SECONDS)
            tell(f"{process.launch.name} ready after {time.monotonic() - began:.1f} s")
        yield _Site(endpoints=endpoints, exporter=exporter, addresses=addresses, session=session)


def _process(setting: Setting, name: str, command: tuple[str, ...], ready_url: str) -> Process:
    return Process(
        Launch(
            name=name,
            argv=(sys.executable, "-m", *command),
            folder=setting.folder,
            log=setting.folder / f"{name}.log",
            ready_url=ready_url,
            environ={**setting.environ, "PYTHONPATH": str(setting.root)},
        )
    )


async def _watch(site: _Site, setting: Setting, began: float, tell: Tell) -> None:
    """Look at the exporter's memory every second, and read its metrics as Prometheus would."""
    scrape_at = began + setting.scrape_seconds
    tell_at = began + 60.0
    while (now := time.monotonic()) < began + setting.seconds:
        site.samples.append(Held(at=now - began, rss_bytes=rss_bytes(site.exporter_pid())))
        if setting.scrape_seconds and now >= scrape_at:
            scrape_at += setting.scrape_seconds
            await _account(site)
        if now >= tell_at:
            tell_at += 60.0
            tell(f"the exporter holds {site.samples[-1].rss_bytes / (1 << 20):.1f} MiB")
        await asyncio.sleep(_LOOK_SECONDS)


async def _account(site: _Site) -> Account:
    """Read the exporter's metrics, compressed as Prometheus asks for them."""
    began = time.monotonic()
    url = f"http://{site.addresses['exporter']}/metrics"
    async with site.session.get(url, headers={"Accept-Encoding": "gzip"}) as answer:
        answer.raise_for_status()
        body = await answer.text()
    site.scrapes += 1
    site.slowest_scrape_seconds = max(site.slowest_scrape_seconds, time.monotonic() - began)
    return read(body.splitlines())


async def _arrivals(site: _Site) -> Mapping[str, list[float]]:
    url = f"http://{site.addresses['plain']}/-/arrivals"
    async with site.session.get(url) as answer:
        found: Mapping[str, list[float]] = orjson.loads(await answer.read())
    return {name_of(int(number)): times for number, times in found.items()}
