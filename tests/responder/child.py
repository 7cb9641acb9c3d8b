"""A responder as a process of its own that tells a file what it does, and dies where it is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from responder.alert import Change
from responder.assembly import Startup, running
from responder.config import Config
from responder.incident import Incident
from responder.investigation.analyst import Brief
from responder.investigation.evidence import Evidence
from responder.investigation.report import Draft, Report
from responder.investigation.stages import Disproof, Gathered, Ranked
from tests.responder.fakes import ScriptedInvestigation
from toolkit.lifecycle import run, until_stopped
from toolkit.logging import configure
from toolkit.settings import parse
from toolkit.web import load_web_config


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """What a child is told: its database, where it notes what it does, and what happens to it.

    `die_in` is the stage that it kills itself in as that begins; `seconds` is how long each takes.
    """

    database: str
    notes: str
    name: str
    settings: str = "incidents: {quiet: 0s}"
    die_in: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)


class Noted:
    """A scripted investigation that notes every stage, in a file that outlives the process."""

    def __init__(self, orders: Orders) -> None:
        """Begin to note."""
        self._orders = orders
        self._inner = ScriptedInvestigation()
        self._notes = os.open(orders.notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, event: str, **more: str) -> None:
        """Add a line; die after it when it was the order."""
        line = {"event": event, "name": self._orders.name, **more}
        os.write(self._notes, json.dumps(line).encode() + b"\n")
        if event == self._orders.die_in:
            os.kill(os.getpid(), signal.SIGKILL)

    async def _enter(self, stage: str, incident: Incident) -> None:
        self.note(stage, incident=incident.id)
        await asyncio.sleep(self._orders.seconds.get(stage, 0.0))

    async def gather(self, incident: Incident, changes: Sequence[Change]) -> Gathered:
        """Gather as the script does."""
        await self._enter("gather", incident)
        return await self._inner.gather(incident, changes)

    def rank(self, incident: Incident, gathered: Gathered, changes: Sequence[Change]) -> Ranked:
        """Rank as the script does."""
        self.note("rank", incident=incident.id)
        return self._inner.rank(incident, gathered, changes)

    async def disprove(
        self, incident: Incident, gathered: Gathered, ranked: Ranked
    ) -> tuple[tuple[Disproof, ...], tuple[Evidence, ...]]:
        """Disprove as the script does."""
        await self._enter("disprove", incident)
        return await self._inner.disprove(incident, gathered, ranked)

    async def analyse(self, brief: Brief) -> Draft:
        """Analyse as the script does."""
        await self._enter("analyse", brief.incident)
        return await self._inner.analyse(brief)

    def conclude(
        self, brief: Brief, draft: Draft, disproofs: Sequence[Disproof], **more: Any
    ) -> Report:
        """Conclude as the script does."""
        self.note("conclude", incident=brief.incident.id)
        return self._inner.conclude(brief, draft, disproofs, **more)


async def serve(orders: Orders) -> int:
    """Run until stopped."""
    noted = Noted(orders)
    config = parse(orders.settings, "responder.yml", Config, environ={})
    startup = Startup(
        read=lambda: config.model_copy(update={"database": orders.database}),
        directory=Path("/"),
        addresses=["127.0.0.1:0"],
        web=load_web_config(None, {}),
        version="test",
        build=lambda _config, _surroundings: nullcontext(noted),
    )
    async with running(startup) as responder:
        replica = responder.replica.id
        noted.note("listening", address=responder.addresses[0], replica=replica)
        await until_stopped()
    return 0


if __name__ == "__main__":
    configure(level="info", format="logfmt")
    sys.exit(run(serve(Orders(**json.loads(sys.argv[1])))))
