"""Turns work rows into investigations: the worst severity first, a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from responder.casefile import report_id
from responder.durable import Engine, LostError
from responder.guard import told
from responder.lastresort import apology
from responder.metrics import Metrics
from responder.patience import patiently
from responder.store import incidents, work
from responder.store.engine import Connection, StoreUnavailableError, is_outage
from responder.store.incidents import Entry
from responder.store.reports import Dossier
from responder.store.store import Store
from responder.store.work import Seeker, Task
from responder.workflows import Inquiry

log = structlog.get_logger(__name__)

_MOST_ATTEMPTS = 3
_RETRY_SECONDS = 2.0
_LONGEST_PROBLEM = 500
_PAUSE_SECONDS = 0.5
_BREATH_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where workers of one kind wait in line; the first of them looks for work."""

    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    bell: asyncio.Event = field(default_factory=asyncio.Event)


class Dispatcher:
    """Takes work whose turn has come and sees it through; `work` may run several times at once."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        store: Store,
        engine: Engine,
        inquiry: Inquiry,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        replica_id: str,
        look_every_seconds: float = 30.0,
    ) -> None:
        """Keep what it works with.

        It looks at least every *look_every_seconds*: nobody wakes it for what another replica has
        taken in, or has left.
        """
        self._store = store
        self._engine = engine
        self._inquiry = inquiry
        self._metrics = metrics
        self._clock = clock
        self._replica_id = replica_id
        self._look_every_seconds = look_every_seconds
        self._busy: set[str] = set()
        self._taking = asyncio.Lock()
        self._desks = {False: _Desk(), True: _Desk()}

    def wake(self) -> None:
        """Look for work now."""
        for desk in self._desks.values():
            desk.bell.set()

    async def work(self, *, is_urgent: bool = False) -> None:
        """Take one piece of work after the other, for ever; *is_urgent* takes critical work alone.

        One such worker more keeps criticals from waiting for what takes long and began before.
        """
        while True:
            task = await self._next(is_urgent=is_urgent)
            try:
                await self._attempt(task)
            finally:
                self._busy.discard(task.id)
                self.wake()  # what joined too late for the report is work of its own

    async def urgent_work(self) -> None:
        """Take one piece of critical work after the other, for ever."""
        await self.work(is_urgent=True)

    async def _next(self, *, is_urgent: bool) -> Task:
        desk = self._desks[is_urgent]
        async with desk.line:
            while True:
                desk.bell.clear()
                try:
                    found = await self._take(is_urgent=is_urgent)
                    if found is not None:
                        return found
                    await self._idle(desk, is_urgent=is_urgent)
                except StoreUnavailableError as error:
                    log.warning("no work can be looked for", problem=str(error))
                    await asyncio.sleep(_PAUSE_SECONDS)

    async def _idle(self, desk: _Desk, *, is_urgent: bool) -> None:
        now, seeker = self._clock(), self._seeker(is_urgent=is_urgent)
        due_at = await self._store.read(lambda database: work.next_due_at(database, now, seeker))
        wait_seconds = self._look_every_seconds if due_at is None else due_at - now
        # Never at once: what is due may be under another's lock.
        wait_seconds = min(max(wait_seconds, _BREATH_SECONDS), self._look_every_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                await desk.bell.wait()

    def _seeker(self, *, is_urgent: bool) -> Seeker:
        return Seeker(owner=self._replica_id, busy_with=frozenset(self._busy), is_urgent=is_urgent)

    async def _take(self, *, is_urgent: bool) -> Task | None:
        # One at a time: what is claimed and not yet among `_busy` looks like left by a dead task.
        async with self._taking:
            return await self._claimed(is_urgent=is_urgent)

    async def _claimed(self, *, is_urgent: bool) -> Task | None:
        """Claim what is due, or what a dead replica has begun."""
        now, seeker = self._clock(), self._seeker(is_urgent=is_urgent)
        due_at = await self._store.read(lambda database: work.next_due_at(database, now, seeker))
        if due_at is None or due_at > now:
            return None

        def claim(connection: Connection) -> Task | None:
            claimed = work.claim(connection, now, seeker)
            if claimed is not None and claimed.begun_by is not None:
                incidents.log(connection, claimed.incident_id, self._taken_over(claimed, now))
            return claimed

        claimed = await self._store.write(claim)
        if claimed is not None:
            self._busy.add(claimed.id)
            if claimed.begun_by and claimed.begun_by != self._replica_id:
                self._metrics.takeovers.inc()
        return claimed

    def _taken_over(self, task: Task, now: float) -> Entry:
        if task.begun_by == self._replica_id:
            why = "its task had died"
        elif task.begun_by:
            why = f"replica {task.begun_by} is not alive any more"
        else:
            why = "the replica that ran it has stopped"
        text = f"replica {self._replica_id} goes on with the investigation: {why}"
        return Entry(at=now, event="taken over", text=text)

    async def _attempt(self, task: Task) -> None:
        run_id = work.runs(task.id, task.attempts)[-1]
        begin = self._engine.run if task.begun_by is None else self._engine.take_over
        try:
            async with asyncio.timeout(self._inquiry.limit_seconds):
                await begin(run_id, task.id, task.incident_id)
            if await self._is_left(task):
                # As when the engine's own database is older or newer than ours.
                await self._failed(task, run_id, LookupError("its run ended without a report"))
        except LostError as lost:
            log.info("investigation lost to another replica", investigation=run_id, why=str(lost))
        except Exception as error:  # noqa: BLE001 - whatever failed, the incident gets its report
            await self._failed(task, run_id, error)

    async def _is_left(self, task: Task) -> bool:
        with suppress(StoreUnavailableError):
            return await self._store.read(
                lambda database: work.is_held(database, task.id, self._replica_id)
            )
        return False  # It is looked at again as work that nobody is at.

    async def _failed(self, task: Task, run_id: str, error: Exception) -> None:
        problem = told(error, _LONGEST_PROBLEM)
        self._metrics.failures.inc()
        log.error("investigation failed", investigation=run_id, problem=problem)
        # Who has lost it meanwhile must not stop the run of whoever goes on with it.
        if isinstance(error, TimeoutError) and await self._is_left(task):
            await self._engine.give_up(run_id)
        # While the disk is full the engine's own file may fail where the store's still has room.
        if task.attempts < _MOST_ATTEMPTS or is_outage(error):
            await self._retry(task, problem)
        else:
            await self._apologise(task, problem)

    async def _retry(self, task: Task, problem: str) -> None:
        now = self._clock()
        due_at = now + _RETRY_SECONDS * 2 ** min(task.attempts, _MOST_ATTEMPTS)
        await patiently(
            self._store,
            lambda database: work.retry(
                database, task.id, self._replica_id, due_at=due_at, at=now, problem=problem
            ),
        )

    async def _apologise(self, task: Task, problem: str) -> None:
        incident = await self._store.read(
            lambda database: incidents.get(database, task.incident_id)
        )
        now, owner = self._clock(), self._replica_id
        if incident is None:
            await patiently(
                self._store, lambda database: work.finish(database, task.id, now, owner)
            )
            return
        report = apology(incident, report_id(incident.id), problem, now)
        dossier = Dossier(report=report, evidence=(), suspects=(), disproofs=())
        with suppress(LostError):
            await self._inquiry.close(task.id, incident, dossier, 0.0)
