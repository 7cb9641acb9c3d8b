"""The faults that can be set, each with a clean way back.

A new fault is a row in `truth.yml` and an entry in `FAULTS`; it turns a component's dials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lab.changes import ChangeLog
from lab.processes import COMPONENTS, Keeper


@dataclass(frozen=True, kw_only=True, slots=True)
class Levers:
    """What a fault may move: the components through their keepers, and the change log."""

    keepers: Mapping[str, Keeper]
    changes: ChangeLog
    clock: Callable[[], float] = time.time


class Fault(Protocol):
    """Something that can be broken and put right again."""

    async def set(self, levers: Levers) -> float:
        """Break it; returns since when (Unix seconds), never later than the first effect."""

    async def clear(self, levers: Levers) -> None:
        """Put it right again, leaving no trace but in counters and logs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """Turns dials of one component."""

    component: str
    dials: Mapping[str, Any]

    async def set(self, levers: Levers) -> float:
        """Turn the dials."""
        onset = levers.clock()
        await levers.keepers[self.component].turn(self.dials)
        return onset

    async def clear(self, levers: Levers) -> None:
        """Turn them back."""
        await levers.keepers[self.component].release(self.dials)


@dataclass(frozen=True, kw_only=True, slots=True)
class Crash:
    """Kills one component and keeps it from coming back."""

    component: str

    async def set(self, levers: Levers) -> float:
        """Kill the process."""
        onset = levers.clock()
        await levers.keepers[self.component].crash()
        return onset

    async def clear(self, levers: Levers) -> None:
        """Start it again."""
        await levers.keepers[self.component].revive()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """Announces and rolls out a version of one component that misbehaves; rolls it back."""

    component: str
    version: str
    title: str
    dials: Mapping[str, Any] = field(default_factory=dict)

    async def set(self, levers: Levers) -> float:
        """Post the change and put the new version in the old one's place."""
        await self._announce(levers, self.version, self.title)
        onset = levers.clock()
        await levers.keepers[self.component].roll(self.version, put=self.dials)
        return onset

    async def clear(self, levers: Levers) -> None:
        """Put the version before in its place again and post that change as well."""
        before = COMPONENTS[self.component].version
        await levers.keepers[self.component].roll(before, put={}, release=self.dials)
        await self._announce(levers, before, f"Roll back {self.component} to {before}")

    async def _announce(self, levers: Levers, version: str, title: str) -> None:
        change = {"service": self.component, "kind": "deployment", "version": version}
        await levers.changes.post({**change, "title": title, "author": "deploy-bot"}, tries=3)


FAULTS: Mapping[str, Fault] = {
    "hang": Turn(component="chat", dials={"stalled": True}),
    "slow_first_token": Turn(component="chat", dials={"prefill_extra_seconds": 1.0}),
    "slow_tokens": Turn(component="chat", dials={"slowdown_ratio": 5.0}),
    "wrong_answer": Turn(component="chat", dials={"wrong_answers": True}),
    "stream_error": Turn(component="chat", dials={"failing_streams": True}),
    "http_500": Turn(component="embeddings", dials={"failing": True}),
    "crash": Crash(component="scorer"),
    "saturation": Turn(component="load", dials={"surge_chat_per_second": 60.0}),
    "bad_rollout": Rollout(
        component="features",
        version="1.5.0",
        title="Deploy features 1.5.0",
        dials={"missing_column": "chargeback_ratio"},
    ),
    "dependency_slow": Turn(component="features", dials={"delay_seconds": 0.6}),
    "certificate": Turn(component="gateway", dials={"certificate_days": 2.0}),
    # Parts of compounds: alone they raise no alert, or are another fault's like.
    "features_overdue": Turn(component="features", dials={"delay_seconds": 5.0}),
    "slower_tokens": Turn(component="chat", dials={"slowdown_ratio": 2.0}),
    "metrics_gone": Turn(component="chat", dials={"metrics_gone": True}),
}
