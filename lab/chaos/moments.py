"""What happens as the harness sees it, so that a kill can be set on it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

STAGES = (
    "received",
    "acknowledged",
    "gather",
    "gathered",
    "analyse",
    "analysed",
    "deliver",
    "delivered",
)
"""Before and after each thing that a replica is seen to do from outside, in the order of a run."""


@dataclass(kw_only=True, slots=True)
class Trap:
    """Waits for a stage; `strike` is called with the replica that reached it, at once."""

    stage: str
    strike: Callable[[str], None]
    sprung: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(kw_only=True, slots=True)
class Moments:
    """Told of each stage that a replica reaches; the traps set on it strike once."""

    seen: Counter[str] = field(default_factory=Counter)
    _traps: list[Trap] = field(default_factory=list)

    def tell(self, stage: str, replica: str) -> None:
        """Note that *replica* is at *stage*."""
        self.seen[stage] += 1
        for trap in [each for each in self._traps if each.stage == stage]:
            self._traps.remove(trap)
            trap.strike(replica)
            trap.sprung.set()

    def set(self, stage: str, strike: Callable[[str], None]) -> Trap:
        """Set a trap on *stage*."""
        trap = Trap(stage=stage, strike=strike)
        self._traps.append(trap)
        return trap

    def clear(self) -> None:
        """Take all traps away."""
        self._traps.clear()
