"""The fleet: starts the agents staggered, reloads them, stops them."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence

import structlog

from exporter.agent import JuniorAgent, Surroundings
from exporter.config import Config
from exporter.metrics import MOST_SERIES
from exporter.probe import probes
from exporter.record import TargetRecord
from exporter.target import Target
from toolkit.lifecycle import Supervisor

_COLLECTOR_THRESHOLDS = (20_000, 10, 50)

log = structlog.get_logger(__name__)


class Fleet:
    """One agent for each target, each a supervised task."""

    def __init__(self, supervisor: Supervisor, around: Surroundings) -> None:
        self._supervisor = supervisor
        self._around = around
        self._agents: dict[str, JuniorAgent] = {}
        self.modules: Mapping[str, Target] = {}
        self.max_series = MOST_SERIES
        self.started = False

    @property
    def records(self) -> Sequence[TargetRecord]:
        """The targets' records, by name."""
        return [self._agents[name].record for name in sorted(self._agents)]

    def record(self, name: str) -> TargetRecord | None:
        """Return one target's record."""
        agent = self._agents.get(name)
        return None if agent is None else agent.record

    async def take(self, config: Config) -> None:
        """Run this configuration: agents of unchanged targets go on undisturbed.

        A changed target keeps its counters while its kind stays.
        """
        wanted = {target.name or "": target for target in config.targets}
        ended = [n for n, a in self._agents.items() if wanted.get(n) != a.record.target]
        kept = {name: self._agents.pop(name).record for name in ended}
        await self._supervisor.stop(*(_task(name) for name in ended))
        for name, target in wanted.items():
            if name not in self._agents:
                self._start(target, kept.get(name))
        ledger = self._around.ledger
        ledger.total.tokens_per_day = config.tokens_per_day
        ledger.forget_all_but(self._agents, self._around.wall_clock())
        self.modules, self.max_series = config.modules, config.max_series
        self.started = True
        log.info("configuration taken", targets=len(wanted), changed=len(ended))

    def _start(self, target: Target, record: TargetRecord | None) -> None:
        now = self._around.clock()
        if record is None or probes.kind_of(record.target) != probes.kind_of(target):
            record = TargetRecord(target, now=now)
        else:
            record.adopt(target, now=now)
        record.budget = self._around.ledger.budget_of(target)
        agent = JuniorAgent(record, self._around)
        self._agents[agent.name] = agent
        self._supervisor.spawn(_task(agent.name), agent.work)


def settle() -> None:
    """Take what lives as long as the configuration out of the garbage collector's sight.

    Ten thousand targets are half a million objects: to look at all of them takes half a second, in
    which no run begins, and finds nothing. What is removed later is freed by its count alone.
    What the runs leave until the next ones is as much again, and looked at seldom.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)


def _task(name: str) -> str:
    return f"agent:{name}"
