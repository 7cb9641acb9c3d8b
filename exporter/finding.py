"""Keeps the fleet at what is configured and found, as far as this shard has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from exporter.config import Config
from exporter.discovery import Discovery, DiscoveryError, Document
from exporter.excerpt import clean
from exporter.fleet import Fleet
from exporter.instruments import Instruments
from exporter.listing import Listed, read
from exporter.sharding import Shard
from exporter.target import Target
from exporter.transport import Transport

log = structlog.get_logger(__name__)

_TICK_SECONDS = 1.0
_FIRST_SECONDS = 5.0
_SHOWN_PROBLEMS = 10


@dataclass(kw_only=True, slots=True)
class _Seen:
    """What a place last listed, of which settings, and when it is looked at again."""

    place: Discovery
    due_at: float
    is_asked: bool = False
    documents: Mapping[str, Document] = field(default_factory=dict)
    listed: Listed = field(default_factory=Listed)


class Finder:
    """Looks at each place in its time, and has the fleet take what changed."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        fleet: Fleet,
        transport: Transport,
        instruments: Instruments,
        *,
        shard: Shard,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._fleet = fleet
        self._transport = transport
        self._instruments = instruments
        self._shard = shard
        self._clock = clock
        self._wall_clock = wall_clock
        self._config: Config | None = None
        self._seen: dict[str, _Seen] = {}
        self._one_at_a_time = asyncio.Lock()

    async def take(self, config: Config) -> None:
        """Run this configuration; what its places listed before holds until they are asked.

        A place that has not answered within five seconds holds up neither a start nor a reload.
        """
        async with self._one_at_a_time:
            before, self._seen = self._seen, {}
            for place in config.discoveries:
                seen = self._seen[place.name] = _Seen(place=place, due_at=self._clock())
                known = before.pop(place.name, None)
                if known is not None:
                    await _carry_over(known, seen)
            for name in before:
                self._instruments.forget_discovery(name)
            self._config = config
        await asyncio.gather(*map(self._ask_first, self._due()))
        async with self._one_at_a_time:
            await self._apply(self._config)

    async def run(self) -> None:
        """Look for ever; a place that is slow to answer delays no other."""
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(_TICK_SECONDS)
                await self._look_at_shards()
                for seen in self._due():
                    seen.is_asked = True
                    group.create_task(self._visit(seen))

    async def look(self) -> None:
        """Look at the places that are due, and at the shards; take what is another one now."""
        await self._look_at_shards()
        await asyncio.gather(*map(self._visit, self._due()))

    def _due(self) -> Sequence[_Seen]:
        now = self._clock()
        return [each for each in self._seen.values() if each.due_at <= now and not each.is_asked]

    async def _look_at_shards(self) -> None:
        if self._shard.look():
            await self._take_anew()

    async def _visit(self, seen: _Seen) -> None:
        if await self._ask(seen):
            await self._take_anew()

    async def _take_anew(self) -> None:
        async with self._one_at_a_time:
            if self._config is not None:
                await self._apply(self._config)

    async def _ask_first(self, seen: _Seen) -> None:
        try:
            async with asyncio.timeout(_FIRST_SECONDS):
                await self._ask(seen)
        except TimeoutError:
            seen.due_at = self._clock()
            log.warning("targets are waited for no longer", discovery=seen.place.name)

    async def _ask(self, seen: _Seen) -> bool:
        """Ask one place; tell whether its targets are others now. A failure keeps those before."""
        name = seen.place.name
        seen.is_asked, seen.due_at = True, self._clock() + seen.place.refresh
        try:
            documents = await seen.place.documents(self._transport, seen.documents)
        except DiscoveryError as error:
            if self._seen.get(name) is seen:  # else its metrics would outlast it
                self._fail(name, str(error))
            return False
        finally:
            seen.is_asked = False
        if self._seen.get(name) is not seen:  # a reload has put another in its place
            return False
        for document in documents:
            if document.problem:
                self._fail(name, document.problem)
        return await self._list(seen, documents)

    def _fail(self, name: str, problem: str) -> None:
        self._instruments.discovery_failures.labels(name).inc()
        self._instruments.discovery_successful.labels(name).set(0)
        log.warning("targets not found", discovery=name, problem=clean(problem, 300))

    async def _list(self, seen: _Seen, documents: Sequence[Document]) -> bool:
        name, before = seen.place.name, seen.listed
        if not _are_same(documents, seen.documents):
            seen.listed = await asyncio.to_thread(read, documents, seen.place, before)
            for problem in [each for each in seen.listed.problems if each not in before.problems][
                :_SHOWN_PROBLEMS
            ]:
                log.warning("an entry is no target", discovery=name, problem=problem)
        seen.documents = {document.origin: document for document in documents}
        self._instruments.discovered(
            name, targets=len(seen.listed.targets), refused=seen.listed.refused
        )
        if not any(document.problem for document in documents):
            self._instruments.discovery_success_timestamp.labels(name).set(self._wall_clock())
            self._instruments.discovery_successful.labels(name).set(1)
        return seen.listed.targets != before.targets

    async def _apply(self, config: Config) -> None:
        targets: dict[str, Target] = {}
        lists: Sequence[Sequence[Target]] = (
            config.targets,
            *(each.listed.targets for each in self._seen.values()),
        )
        for target in (each for listed in lists for each in listed):
            name = target.name or ""
            if self._shard.has(name) and targets.setdefault(name, target) is not target:
                log.warning("a target is there twice", target=name, counts="the first")
        await self._fleet.take(replace(config, targets=tuple(targets.values())))


async def _carry_over(known: _Seen, seen: _Seen) -> None:
    """Let the same list hold under other settings until the place is asked."""
    if known.place == seen.place:
        seen.documents, seen.listed = known.documents, known.listed
    elif type(known.place) is type(seen.place):
        before = list(known.documents.values())
        seen.listed = await asyncio.to_thread(read, before, seen.place)


def _are_same(documents: Sequence[Document], before: Mapping[str, Document]) -> bool:
    """Tell whether nothing was read anew."""
    return len(documents) == len(before) and all(
        before.get(each.origin) is each for each in documents
    )
