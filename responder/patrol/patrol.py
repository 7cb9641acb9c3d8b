"""Makes the rounds, one replica at a time, and raises what is serious."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NoReturn, Protocol, TypeVar

import aiohttp
import structlog

from responder.access import AccessError
from responder.patrol.concern import RoundReport, Standing
from responder.patrol.judgement import Judged, Policy, judge
from responder.patrol.look import WINDOWS_BACK, Ground, looks
from responder.patrol.raising import AGAIN_SECONDS, OVER_SECONDS, alerts_of, tell
from responder.patrol.round import View, look_around
from responder.patrol.settings import PatrolSettings
from responder.prometheus_api import Api
from responder.sources.alertmanager import AlertmanagerSource
from responder.sources.prometheus import PrometheusSource
from responder.store import patrol as stored
from responder.store import replicas
from responder.store.engine import Connection, StoreUnavailableError
from responder.store.store import Store

log = structlog.get_logger(__name__)

S = TypeVar("S", PrometheusSource, AlertmanagerSource)

_LEASE = "patrol"
_TICK_SECONDS = 1.0
_MOST_PROBLEMS = 3


class Counts(Protocol):
    """Where it counts."""

    def patrolled(self, at: float, unseen: int, *, is_blind: bool) -> None:
        """Note that a round was made, how many of its looks saw nothing, and whether all did."""

    def patrol_failed(self) -> None:
        """Count a round that was not made to its end."""

    def patrol_holds(self, held: Mapping[tuple[str, str], int]) -> None:
        """Note how many concerns hold, by look and grade."""

    def patrol_told(self, outcome: str) -> None:
        """Count a post of raised findings to an Alertmanager."""


class Patrol:
    """Makes a round at each interval, and tells Alertmanager each minute what holds."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        store: Store,
        session: aiohttp.ClientSession,
        counts: Counts,
        *,
        settings: Callable[[], PatrolSettings],
        sources: Callable[[], Iterable[object]],
        page_url: Callable[[], str],
        clock: Callable[[], float],
        replica_id: str,
    ) -> None:
        """Keep what it works with; *settings* and *sources* are read anew, for a reload."""
        self._store = store
        self._session = session
        self._counts = counts
        self._settings = settings
        self._sources = sources
        self._page_url = page_url
        self._clock = clock
        self._replica_id = replica_id
        self._was_off = False
        self._raised = asyncio.Event()

    async def run(self) -> None:
        """Make rounds for ever; what holds is told meanwhile, however a round fares."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._rounds())
            both.create_task(self._tellings())

    async def _rounds(self) -> NoReturn:
        clock = asyncio.get_running_loop().time
        # Not at once: at the start the programs around us are only just coming up.
        last = clock()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            # Asked each time: a reload may bring the next round nearer.
            if clock() - last >= self._settings().interval:
                if not await self._guarded("round", self.round):
                    self._counts.patrol_failed()
                last = clock()

    async def _tellings(self) -> NoReturn:
        while True:
            await self._guarded("raising", self.raise_standing)
            self._raised.clear()
            try:
                async with asyncio.timeout(AGAIN_SECONDS):
                    await self._raised.wait()
            except TimeoutError:
                continue

    async def _guarded(self, what: str, act: Callable[[], Awaitable[object]]) -> bool:
        try:
            await act()
        except StoreUnavailableError as error:
            log.warning("patrol waits", what=what, problem=str(error)[:300])
        except Exception as error:  # noqa: BLE001 - the one must not end the other
            # Not its text: that may quote what is watched.
            log.warning("patrol failed", what=what, error=type(error).__name__)
        else:
            return True
        return False

    async def round(self) -> RoundReport | None:
        """Make one round; None where it is off or another's. Raises StoreUnavailableError."""
        settings, prometheis = self._settings(), self._of(PrometheusSource)
        if self._is_off(settings, prometheis) or not await self._store.write(self._hold):
            self._counts.patrol_holds(_held(()))  # what holds is another's to tell, or nobody's
            return None
        began = self._clock()
        ground = Ground(
            apis=await self._reached(prometheis, settings.deadline),
            now=began,
            window_seconds=settings.window,
            compare_with_seconds=settings.compare_with,
        )
        chosen = {name: one for name, one in looks.items() if name not in settings.without}
        view = await look_around(ground, chosen, settings.deadline)
        # What fires already is not known: then nothing is raised, lest it be raised twice.
        may_raise = settings.raises and "alerts" not in view.unseen
        policy = Policy(
            raise_after=settings.raise_after,
            clear_after=settings.clear_after,
            raises=may_raise,
            silence_seconds=WINDOWS_BACK * settings.window,
        )
        judged = judge(await self._store.read(stored.standings), view.seen, policy)
        report = _report(judged, began, self._clock() - began, view)
        await self._store.write(partial(self._keep, judged=judged, report=report))
        is_blind = bool(chosen) and chosen.keys() <= view.unseen.keys()
        self._told(judged, report, is_blind=is_blind)
        return report

    async def _reached(
        self, prometheis: Sequence[PrometheusSource], deadline_seconds: float
    ) -> Sequence[Api]:
        """Give those whose credentials and certificates can be read."""
        found = []
        for each in prometheis:
            try:
                found.append(await each.api(self._session, deadline_seconds))
            except AccessError as error:
                log.warning("prometheus not asked", problem=str(error))
        return found

    def _told(self, judged: Judged, report: RoundReport, *, is_blind: bool) -> None:
        self._counts.patrolled(report.at, len(report.unseen), is_blind=is_blind)
        self._counts.patrol_holds(_held(judged.standings.values()))
        if judged.raised or judged.over:
            self._raised.set()
        if is_blind:
            problems = sorted(set(report.unseen.values()))
            log.warning("a round saw nothing", problems=problems[:_MOST_PROBLEMS])
        if report.says_something:
            log.info(
                "round",
                new=[each.text for each in report.new],
                raised=len(report.raised),
                over=len(report.over),
                unseen=sorted(report.unseen),
            )

    def _keep(self, connection: Connection, judged: Judged, report: RoundReport) -> None:
        if not replicas.hold(connection, _LEASE, self._replica_id):
            return  # another has taken over meanwhile, and makes rounds of its own
        oldest = report.at - OVER_SECONDS
        kept = {
            key: each
            for key, each in judged.standings.items()
            if each.over_at is None or (each.raised_at is not None and each.over_at > oldest)
        }
        stored.keep_standings(connection, kept)
        if report.says_something:
            stored.add_round(connection, report)

    async def raise_standing(self) -> None:
        """Tell every Alertmanager what was raised and holds, or is over since not long."""
        alertmanagers = self._of(AlertmanagerSource)
        at = self._clock()
        if not alertmanagers or not await self._store.write(partial(self._still, at=at)):
            return
        standings = await self._store.read(stored.standings)
        raised = [
            each
            for each in standings.values()
            if each.raised_at is not None and at - (each.over_at or at) < OVER_SECONDS
        ]
        if not raised:
            return
        prometheus = next(iter(self._of(PrometheusSource)), None)
        graph_url = prometheus.shown_url if prometheus else self._page_url()
        alerts = alerts_of(raised, at, page_url=self._page_url(), graph_url=graph_url)
        for url, problem in (await tell(self._session, alertmanagers, alerts)).items():
            self._counts.patrol_told("refused" if problem else "taken")
            if problem:
                log.warning("finding not raised", alertmanager=url, problem=problem)

    def _still(self, connection: Connection, at: float) -> bool:
        """Tell whether we are who tells; where nothing is raised any more, all raised is over."""
        if not self._hold(connection):
            return False
        settings = self._settings()
        if settings.enabled and settings.raises and self._of(PrometheusSource):
            return True
        standings = stored.standings(connection)
        over = {key: each.withdrawn(at) for key, each in standings.items()}
        if over != standings:
            stored.keep_standings(connection, over)
        return True

    def _of(self, kind: type[S]) -> list[S]:
        return [each for each in self._sources() if isinstance(each, kind)]

    def _is_off(self, settings: PatrolSettings, prometheis: Sequence[object]) -> bool:
        is_off = not settings.enabled or not prometheis
        if is_off and not self._was_off:
            why = "no source of kind prometheus" if settings.enabled else "patrol.enabled is false"
            log.info("patrol is off", problem=why)
        self._was_off = is_off
        return is_off

    def _hold(self, connection: Connection) -> bool:
        return replicas.hold(connection, _LEASE, self._replica_id)


def _report(judged: Judged, at: float, seconds: float, view: View) -> RoundReport:
    standing = sum(each.holds for each in judged.standings.values())
    return RoundReport(
        at=at,
        seconds=round(seconds, 3),
        new=judged.new,
        over=judged.over,
        raised=judged.raised,
        standing=standing,
        unseen=dict(view.unseen),
        remarks=dict(view.remarks),
    )


def _held(standings: Iterable[Standing]) -> Mapping[tuple[str, str], int]:
    held = {(name, grade): 0 for name in looks for grade in ("note", "serious")}
    for each in standings:
        if each.holds:
            key = (each.concern.look, each.concern.grade.value)
            held[key] = held.get(key, 0) + 1
    return held
