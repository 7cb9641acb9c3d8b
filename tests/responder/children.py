"""Starts responders as processes of their own, asks them, and reads what they noted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.responder.conftest import eventually
from tests.tree import ROOT

_START_SECONDS = 90.0


@dataclass(kw_only=True, slots=True)
class Child:
    """A responder that runs as a process."""

    name: str
    process: subprocess.Popen[bytes]
    url: str = ""
    replica: str = ""

    def kill(self) -> None:
        """End it the way a power cut does."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


@dataclass(kw_only=True, slots=True)
class Family:
    """The responders that share one database."""

    database: str
    folder: Path
    session: aiohttp.ClientSession
    children: list[Child] = field(default_factory=list)

    @property
    def notes(self) -> list[dict[str, Any]]:
        """What all have noted, in order."""
        path = self.folder / "notes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def count(self, event: str) -> Counter[str]:
        """Count an event by incident."""
        return Counter(note["incident"] for note in self.notes if note["event"] == event)

    async def start(self, name: str, **orders: Any) -> Child:
        """Start a responder, and wait until it listens."""
        child = self.launch(name, **orders)

        async def listening() -> bool:
            assert child.process.poll() is None, (self.folder / f"{name}.log").read_text()
            for note in self.notes:
                if note["event"] == "listening" and note["name"] == name:
                    child.url, child.replica = f"http://{note['address']}", note["replica"]
            return bool(child.url)

        await eventually(listening, _START_SECONDS)
        return child

    def launch(self, name: str, **orders: Any) -> Child:
        """Start a responder."""
        told = {
            "database": self.database,
            "notes": str(self.folder / "notes"),
            "name": name,
            **orders,
        }
        with (self.folder / f"{name}.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.responder.child", json.dumps(told)],
                cwd=ROOT,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        child = Child(name=name, process=process)
        self.children.append(child)
        return child

    async def post(self, child: Child, body: Mapping[str, Any]) -> int:
        """Post to one of them; give the status."""
        url = f"{child.url}/webhook/alertmanager"
        async with self.session.post(url, json=body) as response:
            return response.status

    async def read(self, child: Child, path: str) -> Any:
        """Get JSON from one of them."""
        async with self.session.get(f"{child.url}{path}") as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def reported(
        self, child: Child, count: int, within_seconds: float = 120
    ) -> list[dict[str, Any]]:
        """Wait until one of them shows so many reported incidents; give them."""

        async def enough() -> list[dict[str, Any]] | None:
            incidents = (await self.read(child, "/api/v1/incidents"))["incidents"]
            done = [each for each in incidents if each["state"] == "reported"]
            return done if len(done) >= count else None

        found: list[dict[str, Any]] = await eventually(enough, within_seconds)
        return found

    async def events(self, child: Child, incident_id: str) -> list[str]:
        """Give the events of an incident's history."""
        whole = await self.read(child, f"/api/v1/incidents/{incident_id}")
        return [each["event"] for each in whole["history"]]


@asynccontextmanager
async def family(database: str, folder: Path) -> AsyncIterator[Family]:
    """Have responders on *database*; those still running at the end are killed."""
    async with aiohttp.ClientSession() as session:
        members = Family(database=database, folder=folder, session=session)
        try:
            yield members
        finally:
            for child in members.children:
                if child.process.poll() is None:
                    child.signal(signal.SIGCONT)
                    child.kill()


async def died(child: Child, within_seconds: float = 60) -> int:
    """Wait until a child has ended; give its code."""
    async with asyncio.timeout(within_seconds):
        return await asyncio.to_thread(child.process.wait)
