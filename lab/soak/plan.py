"""The exporter's configuration for so many endpoints, each at an address of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.soak.faults import Behaviour, Door, behaviour_of

_PER_BLOCK = 250
MOST_TARGETS = _PER_BLOCK * _PER_BLOCK

# A label is 63 characters at most (RFC 1035, section 2.3.4): no resolver has to be asked.
_NO_NAME = f"{'no-such-name-' * 6}.invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How many targets, how often each is asked, and how long it may take."""

    targets: int = 10_000
    interval_seconds: float = 30.0
    timeout_seconds: float = 5.0
    keep: bool = False
    """Whether the healthy ones are asked over a connection that is kept."""

    def behaviours(self) -> Mapping[str, Behaviour]:
        """Give what each target does, by its name."""
        return {name_of(number): behaviour_of(number) for number in range(self.targets)}

    def configuration(self, ports: Mapping[Door, int]) -> Mapping[str, Any]:
        """Give the exporter's whole configuration."""
        times = {
            "interval": f"{self.interval_seconds:g}s",
            "timeout": f"{self.timeout_seconds:g}s",
        }
        targets = [self._target(number, ports) for number in range(self.targets)]
        return {"defaults": times, "targets": targets}

    def _target(self, number: int, ports: Mapping[Door, int]) -> Mapping[str, Any]:
        does = behaviour_of(number)
        host = _NO_NAME if does.door == "nowhere" else address_of(number)
        url = f"{does.scheme}://{host}:{ports.get(does.door, 80)}/{number}/{does.name}"
        keep = {"keep": True} if self.keep and does.reason is None else {}
        return {"name": name_of(number), "url": url, **does.settings, **keep}


def name_of(number: int) -> str:
    """Name a target."""
    return f"soak-{number:05}"


def address_of(number: int) -> str:
    """Give a target's own address of this machine: all of 127.0.0.0/8 is."""
    block, place = divmod(number, _PER_BLOCK)
    return f"127.{block + 1}.{place + 1}.1"
