"""Which component is behind each target, as the juniors say: alerts of either join the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import aiohttp
import structlog

from responder.config import Config
from responder.guard import told

log = structlog.get_logger(__name__)

_INTERVAL_SECONDS = 60.0
_DEADLINE_SECONDS = 10.0


@runtime_checkable
class Lister(Protocol):
    """A source that knows what component is behind each target."""

    async def components(
        self, label: str, session: aiohttp.ClientSession, deadline_seconds: float
    ) -> Mapping[str, str] | None:
        """Give the components by target; None when it could not be asked."""
        ...


class Following(Protocol):
    """What goes by a configuration that a reload may replace."""

    config: Config


class Directory:
    """Asks the sources once a minute, and keeps what they said while they do not answer."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        sources: Callable[[], Sequence[object]],
        label: Callable[[], str],
    ) -> None:
        """Keep what it works with; *sources* and *label* are read anew, for a reload."""
        self._session = session
        self._sources = sources
        self._label = label
        self._said: dict[int, Mapping[str, str]] = {}
        self.components: Mapping[str, str] = {}

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.ask()
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def ask(self) -> None:
        """Ask every source that can tell, once."""
        listers = [each for each in self._sources() if isinstance(each, Lister)]
        found = await asyncio.gather(*(self._ask(lister) for lister in listers))
        said = {
            number: self._said.get(number, {}) if each is None else each
            for number, each in enumerate(found)
        }
        self._said = said
        self.components = {target: each for one in said.values() for target, each in one.items()}

    async def _ask(self, lister: Lister) -> Mapping[str, str] | None:
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS + 1):
                return await lister.components(self._label(), self._session, _DEADLINE_SECONDS)
        except Exception as error:  # noqa: BLE001 - a source's own fault must not end the others'
            log.warning("components not learnt", problem=told(error, 300))
            return None


def following(session: aiohttp.ClientSession, current: Following) -> Directory:
    """Give the directory of the sources that are configured now."""
    return Directory(
        session,
        lambda: current.config.sources,
        lambda: current.config.topology.component_label,
    )
