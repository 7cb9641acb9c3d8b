"""One fault from its setting to the report, narrated; and the wait for health before and after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.text import Text

from lab.demo.verdict import Truth, Verdict, judge
from lab.demo.watch import IncidentWatch, JuniorWatch, RuleWatch, Watch, fetch
from lab.installation import RESPONDER, Installation
from lab.stack.errors import StackError
from lab.stack.runner import PROMETHEUS

EXPORTER = "exporter:10917"
POLL_SECONDS = 0.25
HEALTH_SECONDS = 90.0
REPORT_SECONDS = 60.0
COLOURS = {"lab": "magenta", "exporter": "cyan", "prometheus": "yellow", "responder": "green"}


@dataclass(kw_only=True, slots=True)
class Narrator:
    """Prints what happens as it happens, with seconds since the beginning."""

    console: Console
    began_at: float = field(default_factory=time.monotonic)

    def say(self, who: str, text: str) -> None:
        """Print one line; the text comes from running programs and is taken literally."""
        stamp = f"{time.monotonic() - self.began_at:7.1f}s "
        name = Text(f"{who:<11}", style=COLOURS.get(who, "white"))
        self.console.print(Text.assemble((stamp, "dim"), name, Text(text)))


@dataclass(kw_only=True, slots=True)
class Scene:
    """A running installation and the watches over it; `record` is where incidents are kept."""

    place: Installation
    session: aiohttp.ClientSession
    narrator: Narrator
    baseline_seconds: float
    watches: Sequence[Watch] = ()
    record: Path | None = None

    def __post_init__(self) -> None:
        """Watch the exporter, Prometheus and the responder."""
        self.watches = (
            JuniorWatch(exporter=self.place.url(EXPORTER)),
            RuleWatch(prometheus=self.place.url(PROMETHEUS)),
            IncidentWatch(responder=self.place.url(RESPONDER)),
        )

    async def tell(self) -> None:
        """Ask every watch once and print what is new; raises StackError when a program is gone."""
        self.place.check()
        for watch in self.watches:
            async for line in watch.lines(self.session):
                self.narrator.say(line.who, line.text)

    async def until_healthy(self) -> None:
        """Wait until every target is ok and no alert stands, for as long as a baseline takes.

        Raises StackError when that does not come within 90 seconds more.
        """
        since = time.monotonic()
        deadline = since + self.baseline_seconds + HEALTH_SECONDS
        while time.monotonic() < deadline:
            await self.tell()
            if not await self._healthy():
                since = time.monotonic()
            elif time.monotonic() - since >= self.baseline_seconds:
                return
            await asyncio.sleep(POLL_SECONDS)
        raise StackError("lab", "does not become healthy", f"see the logs in {self.place.folder}")

    async def play(self, fault: str) -> tuple[Verdict, dict[str, Any] | None]:
        """Set a fault, wait for the report of its incident, and judge it; the fault stays on."""
        truth = await self._set(fault)
        summary = f"fault {fault} is set (true cause: {truth.component}, {truth.cause_kind})"
        self.narrator.say("lab", summary)
        deadline = time.monotonic() + REPORT_SECONDS
        incident = None
        while incident is None and time.monotonic() < deadline:
            await self.tell()
            incident = await self._reported(truth)
            await asyncio.sleep(POLL_SECONDS)
        await self.tell()
        report = None if incident is None else incident["report"]
        return judge(truth, report, time.time() - truth.onset_at), incident

    async def clear(self, fault: str) -> None:
        """Switch a fault off."""
        await self.place.platform.clear_fault(fault)
        self.narrator.say("lab", f"fault {fault} is cleared")

    async def _set(self, fault: str) -> Truth:
        answer = await self.place.platform.set_fault(fault)
        return Truth(
            fault=fault,
            component=answer["component"],
            cause_kind=answer["cause_kind"],
            onset_at=answer["onset"],
        )

    async def _reported(self, truth: Truth) -> dict[str, Any] | None:
        """Find the first incident since the onset that has its report."""
        listed = await fetch(self.session, f"{self.place.url(RESPONDER)}/api/v1/incidents")
        known = (listed or {}).get("incidents", [])
        fresh = [incident for incident in known if incident["opened_at"] >= truth.onset_at]
        for each in sorted(fresh, key=lambda incident: float(incident["opened_at"])):
            url = f"{self.place.url(RESPONDER)}/api/v1/incidents/{each['id']}"
            incident = await fetch(self.session, url)
            if incident and incident.get("report"):
                return dict(incident)
        return None

    async def _healthy(self) -> bool:
        targets = await fetch(self.session, f"{self.place.url(EXPORTER)}/api/v1/targets")
        alerts = await fetch(self.session, f"{self.place.url(PROMETHEUS)}/api/v1/alerts")
        if targets is None or alerts is None:
            return False
        standing = {alert["labels"]["alertname"] for alert in alerts["data"]["alerts"]}
        states = [target["state"] for target in targets["targets"]]
        return bool(states) and set(states) == {"ok"} and standing <= {"VigieWatchdog"}
