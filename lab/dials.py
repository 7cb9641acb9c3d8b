"""How a component's behaviour is turned while it runs: one frozen record, replaced as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict


class Dials(BaseModel):
    """A component's dials; each default is the healthy position."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics_gone: bool = False


D = TypeVar("D", bound=Dials)


class DialBox(Generic[D]):
    """Holds the dials as they stand now and tells who asked when they are turned."""

    def __init__(self, healthy: D) -> None:
        self._kind = type(healthy)
        self._now = healthy
        self._watchers: list[Callable[[D], None]] = []

    @property
    def now(self) -> D:
        """The dials as they stand."""
        return self._now

    def turn(self, wanted: Mapping[str, object]) -> None:
        """Put the named dials as wanted and all others back to healthy.

        Raises pydantic.ValidationError, with nothing changed, when a dial is unknown.
        """
        self._now = self._kind.model_validate(wanted)
        for watcher in self._watchers:
            watcher(self._now)

    def watch(self, watcher: Callable[[D], None]) -> None:
        """Call the watcher with the new dials after each turn."""
        self._watchers.append(watcher)
