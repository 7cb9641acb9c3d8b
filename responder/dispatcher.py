"""Turns work rows into investigations: the worst severity first, a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from responder.durable import Engine
from responder.lastresort import apology
from responder.metrics import Metrics
from responder.store import incidents, work
from responder.store.reports import Dossier
from responder.store.store import Store
from responder.store.work import Task
from responder.workflows import Inquiry, patiently, report_id

log = structlog.get_logger(__name__)

_MOST_ATTEMPTS = 3
_RETRY_SECONDS = 2.0
_LONGEST_IDLE_SECONDS = 30.0
_LONGEST_PROBLEM = 500


class Dispatcher:
    """Takes work whose turn has come and sees it through; `work` may run several times at once."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        inquiry: Inquiry,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
    ) -> None:
        """Keep what it works with."""
        self._store = store
        self._engine = engine
        self._inquiry = inquiry
        self._metrics = metrics
        self._clock = clock
        self._taken: set[str] = set()
        self._taking = asyncio.Lock()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for work now."""
        self._woken.set()

    async def work(self) -> None:
        """Take one piece of work after the other, for ever."""
        while True:
            task = await self._next()
            try:
                await self._attempt(task)
            finally:
                self._taken.discard(task.id)
                self.wake()  # what joined too late for the report is work of its own

    async def _next(self) -> Task:
        async with self._taking:
            while True:
                self._woken.clear()
                found = await self._take()
                if found is not None:
                    self._taken.add(found.id)
                    return found
                await self._idle()

    async def _idle(self) -> None:
        due_at = await self._store.read(work.next_due_at)
        limit_seconds = _LONGEST_IDLE_SECONDS if due_at is None else due_at - self._clock()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(limit_seconds, 0.0), _LONGEST_IDLE_SECONDS)):
                await self._woken.wait()

    async def _take(self) -> Task | None:
        """Give work that was begun before a restart, else claim what is due."""
        begun = await self._store.read(work.running)
        left = next((task for task in begun if task.id not in self._taken), None)
        if left is not None:
            return left
        now = self._clock()
        due_at = await self._store.read(work.next_due_at)
        if due_at is None or due_at > now:
            return None
        claimed = await self._store.write(lambda connection: work.claim(connection, now, 1))
        return claimed[0] if claimed else None

    async def _attempt(self, task: Task) -> None:
        run_id = task.id if task.attempts == 1 else f"{task.id}.{task.attempts}"
        try:
            async with asyncio.timeout(self._inquiry.limit_seconds):
                await self._engine.run(run_id, task.id, task.incident_id)
        except Exception as error:  # noqa: BLE001 - whatever failed, the incident gets its report
            await self._failed(task, run_id, error)

    async def _failed(self, task: Task, run_id: str, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}"[:_LONGEST_PROBLEM]
        self._metrics.failures.inc()
        log.error("investigation failed", investigation=run_id, problem=problem)
        if isinstance(error, TimeoutError):
            await self._engine.give_up(run_id)
        if task.attempts < _MOST_ATTEMPTS:
            due_at = self._clock() + _RETRY_SECONDS * 2**task.attempts
            await patiently(
                self._store, lambda database: work.retry(database, task.id, due_at, problem)
            )
            return
        await self._apologise(task, problem)

    async def _apologise(self, task: Task, problem: str) -> None:
        incident = await self._store.read(
            lambda database: incidents.get(database, task.incident_id)
        )
        if incident is None:
            now = self._clock()
            await patiently(self._store, lambda database: work.finish(database, task.id, now))
            return
        report = apology(incident, report_id(incident.id), problem, self._clock())
        dossier = Dossier(report=report, evidence=(), suspects=(), disproofs=())
        await self._inquiry.close(task.id, incident, dossier, 0.0)
