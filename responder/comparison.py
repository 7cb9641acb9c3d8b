"""Finds what never reached us: compares what is stored with what Alertmanager and Prometheus know.

Nothing is concluded from silence, and what is in doubt is counted, not stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn, Protocol

import aiohttp
import structlog

from responder import judgement
from responder.absence import Listed, Watch
from responder.config import ComparisonSettings
from responder.hearing import Heard, ask_all
from responder.intake import OverloadedError
from responder.judgement import Gap, Kind
from responder.late import Late
from responder.sources.alertmanager import AlertmanagerSource
from responder.sources.prometheus import PrometheusSource
from responder.store import comparison as stored
from responder.store import replicas
from responder.store.comparison import Cut, Open
from responder.store.engine import Connection, StoreUnavailableError
from responder.store.store import Store
from responder.witness import SilentError

log = structlog.get_logger(__name__)

_LEASE = "comparison"
_TICK_SECONDS = 1.0
_HEARD, _JUDGED, _CUT = "comparison heard", "comparison judged", "comparison cut"
_MOST_DOUBTS_KNOWN = 10_000
_PASSING = (SilentError, StoreUnavailableError, OverloadedError)
"""What may be over when it is tried again."""


class Counts(Protocol):
    """Where it counts."""

    def compared(self, at: float) -> None:
        """Note that a comparison succeeded."""

    def comparison_failed(self) -> None:
        """Count a comparison that failed."""

    def gaps_found(self, kind: str, count: int) -> None:
        """Count gaps that were closed."""

    def doubted(self, count: int) -> None:
        """Count what was not stored, for it could not be told apart from what is there."""


@dataclass(kw_only=True, slots=True)
class _Memory:
    """What was seen at the looks before."""

    firing: Watch = field(default_factory=Watch)
    absent: Watch = field(default_factory=Watch)
    held: dict[str, float] = field(default_factory=dict)
    generators: set[str] = field(default_factory=set)
    fingerprints: set[str] = field(default_factory=set)
    doubts: set[str] = field(default_factory=set)
    unheard: list[tuple[float, float]] = field(default_factory=list)
    receivers: frozenset[str] = frozenset()
    looked_at: float | None = None
    is_off: bool = False


class Comparison:
    """Compares at the start and at each interval; alerts that were cut are fetched at once."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        store: Store,
        late: Late,
        session: aiohttp.ClientSession,
        counts: Counts,
        *,
        settings: Callable[[], ComparisonSettings],
        sources: Callable[[], Iterable[object]],
        clock: Callable[[], float],
        replica_id: str,
    ) -> None:
        """Keep what it works with; *settings* and *sources* are read anew, for a reload."""
        self._store = store
        self._late = late
        self._session = session
        self._counts = counts
        self._settings = settings
        self._sources = sources
        self._clock = clock
        self._replica_id = replica_id
        self._memory = _Memory()
        self._started_at = clock()

    async def run(self) -> None:
        """Compare for ever; what was cut is fetched meanwhile, however a comparison fares."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._again(self.look, lambda: self._settings().interval))
            both.create_task(self._again(self.fetch_cut, lambda: _TICK_SECONDS))

    async def _again(
        self, act: Callable[[], Awaitable[None]], pause: Callable[[], float]
    ) -> NoReturn:
        backoff = _TICK_SECONDS
        while True:
            is_well = await self._guarded(act)
            longest = self._settings().interval
            backoff = _TICK_SECONDS if is_well else min(2 * backoff, longest)
            await asyncio.sleep(min(pause() if is_well else backoff, longest))

    async def _guarded(self, act: Callable[[], Awaitable[None]]) -> bool:
        try:
            await act()
        except _PASSING as error:
            problem = str(error)[:300]
        except Exception as error:  # noqa: BLE001 - the one must not end the other
            # Not its text: that may quote what is stored.
            problem = f"a fault of ours ({type(error).__name__})"
        else:
            return True
        self._counts.comparison_failed()
        log.warning("comparison failed", problem=problem)
        return False

    async def look(self) -> None:
        """Compare once; raises SilentError, StoreUnavailableError, OverloadedError."""
        memory, settings = self._memory, self._settings()
        alertmanagers, prometheis = self._witnesses()
        if self._is_off(alertmanagers):
            return
        if not await self._store.write(self._hold):
            return
        at = self._clock()
        heard_at, judged_at = await self._store.read(lambda database: self._marks(database, at))
        judged_at = max(judged_at, at - settings.look_back)
        memory.receivers = await self._receivers(settings)
        # Before it is known who we are, nothing can be judged: that time is looked at later.
        start = (judged_at if memory.receivers else at) - settings.grace
        heard = await self._ask(alertmanagers, prometheis, start, at)
        since = at - settings.look_back
        memory.generators |= await self._store.read(partial(stored.generators, since=since))
        grace = judgement.grace(settings.grace, heard.trees, memory.receivers)
        self._notice(heard, heard_at, at)
        await self._missed(heard, at, grace)
        await self._absent(heard, at, grace)
        is_judged = await self._over(heard, prometheis, (judged_at, at - grace))
        judged_to = max(judged_at, at - grace) if is_judged else judged_at
        await self._store.write(
            partial(_set_marks, heard=heard, at=at, judged_to=judged_to, since=since)
        )
        memory.looked_at = at
        self._counts.compared(at)

    async def _receivers(self, settings: ComparisonSettings) -> frozenset[str]:
        """Give the receivers that are us; while none is known, no alert counts as ours."""
        if settings.receiver:
            return frozenset([settings.receiver])
        return self._memory.receivers | await self._store.read(stored.receivers)

    async def fetch_cut(self) -> None:
        """Fetch what Alertmanager cut from its posts; raises as `look` does."""
        since = self._started_at - self._settings().look_back
        cuts = await self._store.read(
            lambda database: stored.cut_since(database, stored.mark(database, _CUT) or since)
        )
        if not cuts or not await self._store.write(self._hold):
            return
        at = self._clock()
        alertmanagers = self._witnesses()[0]
        if not alertmanagers:
            return
        heard = await self._ask(alertmanagers, (), at, at)
        for cut in cuts:
            try:
                await self._take_cut(cut, heard.listed.values(), at)
            except _PASSING:
                raise
            except Exception as error:  # noqa: BLE001 - the next are fetched all the same
                self._counts.comparison_failed()
                problem = type(error).__name__
                log.warning("cut post not judged", delivery=cut.id, problem=problem)
            await self._store.write(partial(stored.set_mark, name=_CUT, at=cut.received_at))

    async def _take_cut(self, cut: Cut, listed: Iterable[Listed], at: float) -> None:
        try:
            common = stored.group_labels(cut)
        except (ValueError, AttributeError):
            return  # the whole comparison finds them in its time
        of_group = [
            each
            for each in listed
            if cut.receiver in each.receivers
            and not each.is_held
            and common.items() <= each.alert.labels.items()
        ]
        grace = self._settings().grace
        new = await self._store.read(
            lambda database: judgement.unknown(database, of_group, at, grace)
        )
        gaps = [Gap(kind=Kind.TRUNCATED, alert=each.alert, entry=each.entry) for each in new]
        await self._take(gaps, cut.receiver, cut.group_key)

    def _witnesses(self) -> tuple[Sequence[AlertmanagerSource], Sequence[PrometheusSource]]:
        sources = list(self._sources())
        return (
            [each for each in sources if isinstance(each, AlertmanagerSource)],
            [each for each in sources if isinstance(each, PrometheusSource)],
        )

    def _is_off(self, alertmanagers: Sequence[AlertmanagerSource]) -> bool:
        was_off, self._memory.is_off = self._memory.is_off, not alertmanagers
        if self._memory.is_off and not was_off:
            log.info("comparison is off", problem="no source of kind alertmanager")
        return self._memory.is_off

    def _hold(self, connection: Connection) -> bool:
        return replicas.hold(connection, _LEASE, self._replica_id)

    def _marks(self, connection: Connection, at: float) -> tuple[float, float]:
        """Give until when all is known to have been heard, and until when all has been judged."""
        posted_at = stored.newest_post_at(connection, self._started_at)
        heard_at = stored.mark(connection, _HEARD)
        judged_at = stored.mark(connection, _JUDGED)
        known = [each for each in (heard_at, posted_at) if each is not None]
        last = min(max(known, default=at), at)
        return last, min(last if judged_at is None else judged_at, at)

    async def _ask(
        self,
        alertmanagers: Sequence[AlertmanagerSource],
        prometheis: Sequence[PrometheusSource],
        start: float,
        end: float,
    ) -> Heard:
        """Ask all at once; raises SilentError when no Alertmanager answers."""
        heard = await ask_all(alertmanagers, prometheis, self._session, start, end)
        if not heard.is_whole:
            self._counts.comparison_failed()
        return heard

    def _notice(self, heard: Heard, heard_at: float, at: float) -> None:
        """Remember what this look shows, for those to come."""
        memory, listed = self._memory, heard.listed
        far = 2.5 * self._settings().interval
        if memory.looked_at is None or at - heard_at > far:
            memory.unheard.append((heard_at, at))
        oldest = at - self._settings().look_back
        memory.unheard = [each for each in memory.unheard if each[1] > oldest]
        held = {key: at for key, each in listed.items() if each.is_held}
        memory.held = {key: last for key, last in memory.held.items() if last > oldest} | held
        memory.generators |= {each.generator for each in listed.values() if each.generator}
        memory.fingerprints = set(listed) | {
            key for key in memory.fingerprints if key in memory.absent.since
        }

    async def _missed(self, heard: Heard, at: float, grace: float) -> None:
        memory = self._memory
        ours = {
            key: each
            for key, each in heard.listed.items()
            if not each.is_held and each.receivers & memory.receivers
        }
        memory.firing.look(ours, at)
        lasting = memory.firing.lasting(at, grace)
        old = [each for key, each in ours.items() if key in lasting]
        old = [each for each in old if at - each.alert.starts_at >= grace]
        new = await self._store.read(lambda database: judgement.unknown(database, old, at, grace))
        sure, doubts = judgement.untimed(new, heard.trees, memory.receivers)
        self._doubt(doubts)
        gaps = [Gap(kind=Kind.MISSED, alert=each.alert, entry=each.entry) for each in sure]
        await self._take(gaps, min(memory.receivers, default=""))

    async def _absent(self, heard: Heard, at: float, grace: float) -> None:
        memory = self._memory
        if not heard.is_whole:
            return
        there: Sequence[Open] = await self._store.read(stored.open_episodes)
        listed = heard.listed
        gone = {
            each.id: each
            for each in there
            if each.alert.fingerprint not in listed and not judgement.fires(each.alert, heard.fired)
        }
        fingerprints = memory.fingerprints | {
            each.alert.fingerprint for each in there if each.alert.fingerprint in listed
        }
        memory.absent.look(gone, at)
        memory.fingerprints = fingerprints
        lasting = memory.absent.lasting(at, 2 * grace)
        over = [gone[key] for key in lasting if self._is_covered(gone[key])]
        gaps = [judgement.closing(each.alert, memory.absent.since[each.id]) for each in over]
        await self._take(gaps, min(memory.receivers, default=""))

    def _is_covered(self, episode: Open) -> bool:
        """Tell whether whoever raised it is known to tell the Alertmanagers that we ask."""
        generator = Listed(
            alert=episode.alert, entry={}, receivers=frozenset(), is_held=False
        ).generator
        if generator:
            return generator in self._memory.generators
        return episode.alert.fingerprint in self._memory.fingerprints

    async def _over(
        self,
        heard: Heard,
        prometheis: Sequence[PrometheusSource],
        between: tuple[float, float],
    ) -> bool:
        """Take in what fired and is over; tell whether all that ended *between* is judged."""
        memory, settings = self._memory, self._settings()
        if not memory.receivers or not heard.fired or not heard.is_whole:
            return False
        case = judgement.Case(
            listed=heard.listed,
            trees=heard.trees,
            receivers=memory.receivers,
            unheard=tuple(memory.unheard),
            held=frozenset(memory.held),
            between=between,
            least_seconds=settings.grace,
        )
        found = await self._store.read(lambda database: judgement.over(database, case, heard.fired))
        if found.is_cut_short:
            start = heard.fired[0].end - settings.look_back
            again = await self._ask(self._witnesses()[0], prometheis, start, heard.fired[0].end)
            if not again.is_whole:
                return False
            found = await self._store.read(
                lambda database: judgement.over(database, case, again.fired)
            )
        self._doubt(found.doubts)
        await self._take(found.gaps, min(memory.receivers, default=""))
        return True

    def _doubt(self, doubts: Mapping[str, str]) -> None:
        known = self._memory.doubts
        new = {key: reason for key, reason in doubts.items() if key not in known}
        if len(known) + len(new) > _MOST_DOUBTS_KNOWN:
            known.clear()
        known.update(new)
        if new:
            self._counts.doubted(len(new))
            log.warning("in doubt, not stored", alerts=len(new), reason=next(iter(new.values())))

    async def _take(self, gaps: Sequence[Gap], receiver: str, group_key: str = "") -> None:
        outcome = await self._late.take(gaps, receiver, group_key)
        for _ in range(outcome.failed):
            self._counts.comparison_failed()
        for kind, count in outcome.taken.items():
            self._counts.gaps_found(kind.value, count)
            log.warning("never reached us", kind=kind.value, alerts=count)


def _set_marks(  # what a process after this one has to know
    connection: Connection, heard: Heard, *, at: float, judged_to: float, since: float
) -> None:
    listed = {each.generator for each in heard.listed.values() if each.generator}
    stored.keep_generators(connection, listed, at, since=since)
    stored.set_mark(connection, _HEARD, at)
    before = stored.mark(connection, _JUDGED)
    stored.set_mark(connection, _JUDGED, max(judged_to, before or 0.0))
