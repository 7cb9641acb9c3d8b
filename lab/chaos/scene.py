"""Real Alertmanagers, real responders, and the ends that the harness holds, all on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web

from lab.chaos import settings
from lab.chaos.alerts import Sender
from lab.chaos.ends import Ends, Pace
from lab.chaos.front import PATH, Backend, Front, Ledger, application
from lab.chaos.moments import Moments
from lab.chaos.replicas import ROOT, Kill, Replica
from lab.stack.ports import HOST, free_addresses
from lab.stack.process import Launch, Process

KEY = "lab-key-0123456789abcdef"
_POLL_SECONDS = 0.2


class ChaosError(Exception):
    """What was awaited did not come; the text says what and for how long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How to set a scene.

    `database` is the address that the replicas get, relative to their folder when a path.
    `more` is laid over the responder's settings; `environ` is what the programs are started with,
    `root` the folder of the responder's code, `prefix` a command that runs it.
    """

    folder: Path
    alertmanager: Path
    environ: Mapping[str, str]
    database: str = "vigie.db"
    replicas: int = 1
    alertmanagers: int = 1
    clustered: bool = False
    analyst: str = "stand-in"
    group_by: Sequence[str] = ("alertname", "target")
    waits: settings.Waits = field(default_factory=settings.Waits)
    pace: Pace = field(default_factory=Pace)
    more: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1
    root: Path = ROOT
    prefix: Sequence[str] = ()


class Scene:
    """Everything for the time of an `async with`; logs stay in the folder."""

    def __init__(self, plan: Plan) -> None:
        """Choose addresses; nothing starts yet."""
        self.plan = plan
        self.chance = random.Random(plan.seed)  # noqa: S311 - chaos, not secrets
        self.moments = Moments()
        names = [f"r{number}" for number in range(plan.replicas)]
        senders = [f"am{number}" for number in range(plan.alertmanagers)]
        gossips = [f"{name}-gossip" for name in senders]
        self.addresses = free_addresses([*names, *senders, *gossips])
        self.replicas = [
            Replica(
                name=name,
                address=self.addresses[name],
                folder=plan.folder,
                environ=plan.environ,
                root=plan.root,
                prefix=plan.prefix,
            )
            for name in names
        ]
        self.alertmanagers = [self._alertmanager(name, gossips) for name in senders]
        self.ends = Ends(moments=self.moments, chance=self.chance, pace=plan.pace, replicas=names)
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the ends, the replicas, the Alertmanagers, and the sender."""
        self.plan.folder.mkdir(parents=True, exist_ok=True)
        async with contextlib.AsyncExitStack() as stack:
            self.session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
            self.front = Front(
                backends=self.backends,
                moments=self.moments,
                session=self.session,
                chance=self.chance,
            )
            self.url = await _served(application(self.front, self.ends), stack)
            self._write()
            programs: list[Replica | Process] = [*self.replicas, *self.alertmanagers]
            stack.push_async_callback(_stopped, programs)
            await asyncio.gather(*(each.start() for each in programs))
            self.sender = Sender(session=self.session, urls=self.alertmanager_urls)
            sending = asyncio.create_task(self.sender.run())
            stack.push_async_callback(_cancelled, sending)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(self, *reason: object) -> None:
        """Stop everything."""
        await self._exit.aclose()

    @property
    def ledger(self) -> Ledger:
        """Give what was acknowledged."""
        return self.front.ledger

    @property
    def kills(self) -> Sequence[Kill]:
        """Give all kills so far, oldest first."""
        kills = [kill for replica in self.replicas for kill in replica.kills]
        return sorted(kills, key=lambda kill: kill.at)

    def backends(self) -> Sequence[Backend]:
        """Give the replicas that run, as the front asks for them."""
        running = [each for each in self.replicas if each.pid is not None]
        return [each.backend for each in running if not each.is_paused]

    def alertmanager_urls(self) -> Sequence[str]:
        """Give where the Alertmanagers listen."""
        count = range(self.plan.alertmanagers)
        return [f"http://{self.addresses[f'am{number}']}" for number in count]

    def replica(self, name: str) -> Replica:
        """Find a replica by its name."""
        return next(each for each in self.replicas if each.name == name)

    async def get(self, path: str, within_seconds: float = 60.0) -> Any:
        """Read JSON from any replica that answers; raises ChaosError when none does in time."""
        deadline = time.monotonic() + within_seconds
        problem = "no replica runs"
        while time.monotonic() < deadline:
            for backend in self.backends():
                try:
                    return await self._json(backend.url + path, within_seconds)
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    problem = f"{backend.name}: {type(error).__name__} {error}"
            await asyncio.sleep(_POLL_SECONDS)
        raise ChaosError(f"GET {path}: nothing within {within_seconds:g} s ({problem})")

    async def _json(self, url: str, within_seconds: float) -> Any:
        timeout = aiohttp.ClientTimeout(total=within_seconds)
        async with self.session.get(url, timeout=timeout) as answer:
            answer.raise_for_status()
            return await answer.json()

    def _write(self) -> None:
        plan = self.plan
        (plan.folder / "model.key").write_text(KEY, encoding="utf-8")
        for number in range(plan.alertmanagers):
            webhook = f"{self.url}/from/am{number}{PATH}"
            written = settings.alertmanager(webhook, plan.waits, plan.group_by)
            self._dump(f"am{number}.yml", written)
        for replica in self.replicas:
            token = plan.folder / f"{replica.name}.token"
            token.write_text(replica.name, encoding="utf-8")
            around = settings.Surroundings(
                name=replica.name,
                database=plan.database,
                ends=self.url,
                alertmanagers=self.alertmanager_urls(),
                token_file=str(token),
                key_file=str(plan.folder / "model.key"),
                analyst=plan.analyst,
                more=plan.more,
            )
            self._dump(f"{replica.name}.yml", settings.responder(around))

    def _dump(self, name: str, written: Mapping[str, Any]) -> None:
        text = yaml.safe_dump(dict(written), sort_keys=False)
        (self.plan.folder / name).write_text(text, encoding="utf-8")

    def _alertmanager(self, name: str, gossips: Sequence[str]) -> Process:
        folder = self.plan.folder
        return Process(
            Launch(
                name=name,
                argv=(
                    str(self.plan.alertmanager),
                    f"--config.file={name}.yml",
                    f"--web.listen-address={self.addresses[name]}",
                    f"--storage.path={folder / name}-data",
                    *self._cluster_flags(name, gossips),
                ),
                folder=folder,
                log=folder / f"{name}.log",
                ready_url=f"http://{self.addresses[name]}/-/ready",
                environ=self.plan.environ,
            )
        )

    def _cluster_flags(self, name: str, gossips: Sequence[str]) -> Sequence[str]:
        if not self.plan.clustered:
            return ("--cluster.listen-address=",)
        peers = [f"--cluster.peer={self.addresses[each]}" for each in gossips]
        own = self.addresses[f"{name}-gossip"]
        return (
            f"--cluster.listen-address={own}",
            f"--cluster.advertise-address={own}",
            "--cluster.settle-timeout=2s",
            *peers,
        )


async def eventually(
    ask: Callable[[], Awaitable[Any]], what: str, within_seconds: float = 120.0
) -> Any:
    """Ask until the answer is true and give it; raises ChaosError that names what was awaited."""
    deadline = time.monotonic() + within_seconds
    while True:
        answer = await ask()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise ChaosError(f"{what}: not within {within_seconds:g} s")
        await asyncio.sleep(_POLL_SECONDS)


async def _served(app: web.Application, stack: contextlib.AsyncExitStack) -> str:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, HOST, 0).start()
    return f"http://{HOST}:{runner.addresses[0][1]}"


async def _stopped(programs: Sequence[Replica | Process]) -> None:
    await asyncio.gather(*(each.stop() for each in programs))


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
