"""Where scenes are set: programs, folders, and a database for each."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab.chaos.kills import Killer
from lab.chaos.replicas import ROOT
from lab.chaos.scene import Plan, Scene
from lab.chaos.verdict import Verdict
from lab.stack.postgres import Cluster

Database = Literal["sqlite", "postgresql"]

LEASE_SECONDS = 8.0
"""After so long without a heartbeat a replica counts as dead in these scenes."""

_SHORT: Mapping[str, Any] = {
    # A firing whose acknowledgement a kill took, and which ends before Alertmanager has it
    # acknowledged, is never told resolved: only the comparison learns of its end.
    "comparison": {"interval": "5s", "grace": "20s"},
    # What flaps is told resolved so long after it: a quarter of an hour by default.
    "incidents": {"flap_within": "10s"},
}


@dataclass(kw_only=True, slots=True)
class Ground:
    """What every scene stands on; `cluster` is there when PostgreSQL is wanted.

    `root` is the folder of the responder's code.
    """

    folder: Path
    alertmanager: Path
    environ: Mapping[str, str]
    cluster: Cluster | None = None
    seed: int = 1
    root: Path = ROOT
    _scenes: Counter[str] = field(default_factory=Counter)

    @contextlib.asynccontextmanager
    async def scene(self, name: str, on: Database = "sqlite", **more: Any) -> AsyncIterator[Scene]:
        """Set a scene on a fresh database; *more* are fields of its plan."""
        fresh = self.fresh(name)
        plan = {
            "folder": fresh,
            "alertmanager": self.alertmanager,
            "environ": self.environ,
            "seed": self.seed,
            "root": self.root,
            **self._database(fresh.name, on),
            **more,
        }
        async with Scene(Plan(**plan)) as running:
            yield running

    def fresh(self, name: str) -> Path:
        """Make a folder for a scene."""
        self._scenes[name] += 1
        folder = self.folder / f"{name}-{self._scenes[name]}"
        folder.mkdir(parents=True)
        return folder

    def _database(self, name: str, on: Database) -> Mapping[str, Any]:
        if on == "sqlite":
            return {"database": "vigie.db", "more": _SHORT}
        if self.cluster is None:
            raise ValueError("no PostgreSQL: give the ground a cluster")
        lease = {"heartbeat": "500ms", "dead_after": f"{LEASE_SECONDS:g}s"}
        url = self.cluster.url(f"{self.folder.name}-{name}".replace("-", "_").lower())
        return {"database": url, "replicas": 3, "more": {**_SHORT, "replica": lease}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of one run; `figures` are printed, `wrong` says what its verdict does not."""

    verdict: Verdict
    figures: Mapping[str, str] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    killer: Killer | None = None

    @property
    def right(self) -> bool:
        """Tell whether everything held."""
        return self.verdict.right and not self.wrong
