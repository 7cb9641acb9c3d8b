"""Durable execution on DBOS: a killed process's work goes on at the step where it stopped.

Nothing else imports DBOS: what the rest knows of it is `Engine` and `step`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import structlog
from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID
from dbos import error as dbos_errors

from responder.guard import told
from responder.store.engine import open_engine

log = structlog.get_logger(__name__)

Workflow = Callable[[str, str], Awaitable[str]]

# Fixed: by default it is a hash of the workflow's source, and after an upgrade the work of the
# version before would wait for ever.
_APPLICATION_VERSION = "1"
_NAME = "vigie"
_THREADS = 8
_POLL_SECONDS = 0.2
_STOP_SECONDS = 3.0
_QUEUE_PREFIX = "replica-"
_LONGEST_PROBLEM = 500


class StepFailedError(Exception):
    """A step failed before a restart; the text is what it said then."""


class LostError(BaseException):
    """The run belongs to another replica now; nothing more may be done for it here.

    Not an Exception, because those are stored as a step's outcome, which is no longer ours to say.
    """


class JsonSerializer(Serializer):
    """JSON in the database: with pickles, whoever writes there would run code here."""

    def serialize(self, data: Any) -> str:
        """Write plain data, or an exception as its name and text, without secrets."""
        if isinstance(data, BaseException):
            data = {"__exception__": told(data, _LONGEST_PROBLEM)}
        return json.dumps(data, separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:
        """Read what `serialize` wrote."""
        data = json.loads(serialized_data)
        if isinstance(data, dict) and "__exception__" in data:
            return StepFailedError(data["__exception__"])
        return data

    def name(self) -> str:
        """Give the name that is stored beside each value."""
        return "vigie_json"


class Engine:
    """The process's one workflow engine, for the time of its context.

    Starting the same run twice is one run. What runs when the context ends is stopped where it
    is, and stays there until somebody takes it over: nothing is recovered unasked, since which
    replica runs what is decided elsewhere.
    """

    def __init__(self, url: str, workflow: Workflow, *, replica_id: str) -> None:
        """Keep the database's *url* and the one *workflow*: (investigation, incident) -> report."""
        self._url = url
        self._workflow = workflow
        self._replica_id = replica_id
        self._queue = f"{_QUEUE_PREFIX}{replica_id}"
        self._inside: set[asyncio.Task[Any]] = set()
        self._taking_over = 0
        self._queueing = asyncio.Lock()
        self._registered: Any = None
        is_file = url.startswith("sqlite")
        self._database = None if is_file else open_engine(url, connections=_THREADS)

    async def __aenter__(self) -> Self:
        """Open the database; briefly blocks the loop.

        DBOS adopts the running loop, so that steps share its sessions.
        """
        _quiet()
        DBOS(config=self._config())
        self._registered = DBOS.workflow(name="investigate")(self._tracked())
        DBOS.listen_queues([self._queue])
        DBOS.launch()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop what runs, in order that it can be taken over, and close."""
        for task in self._inside:
            task.cancel()
        if self._inside:
            await asyncio.wait(self._inside, timeout=_STOP_SECONDS)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as closing:
            await loop.run_in_executor(closing, _destroy)
        if self._database is not None:
            self._database.dispose()
        # DBOS had made its own threads the loop's, and took them along.
        loop.set_default_executor(ThreadPoolExecutor())

    async def run(self, run_id: str, investigation_id: str, incident_id: str) -> str:
        """Run the workflow as *run_id*, or wait for the run of that name; give its result.

        Raises LostError when another replica has taken it over.
        """
        with SetWorkflowID(run_id):
            handle = await DBOS.start_workflow_async(
                self._registered, investigation_id, incident_id
            )
        result: str = await handle.get_result(polling_interval_sec=_POLL_SECONDS)
        return result

    async def take_over(self, run_id: str, investigation_id: str, incident_id: str) -> str:
        """Go on with a run that another process has begun, or run it if none has, as `run`.

        From here on that process cannot store a step's result any more.
        """
        await self._open_queue()
        try:
            handle = await DBOS.resume_workflow_async(run_id, queue_name=self._queue)
            result: str = await handle.get_result(polling_interval_sec=_POLL_SECONDS)
        except dbos_errors.DBOSNonExistentWorkflowError:
            return await self.run(run_id, investigation_id, incident_id)
        finally:
            await self._close_queue()
        return result

    async def give_up(self, run_id: str) -> None:
        """Stop a run for good, wherever it is."""
        await DBOS.cancel_workflow_async(run_id)

    async def forget(self, run_ids: Sequence[str]) -> None:
        """Delete what is stored of runs; those that never were do not matter."""
        if run_ids:
            await DBOS.delete_workflows_async(list(run_ids))

    async def _open_queue(self) -> None:
        """Have the queue of what is taken over: polled, so only while there is such."""
        async with self._queueing:
            if self._taking_over == 0:
                await DBOS.register_queue_async(
                    self._queue, polling_interval_sec=_POLL_SECONDS, on_conflict="always_update"
                )
            # Only now: what was counted and not registered would never be polled.
            self._taking_over += 1

    async def _close_queue(self) -> None:
        async with self._queueing:
            self._taking_over -= 1
            if self._taking_over == 0:
                try:
                    await DBOS.delete_queue_async(self._queue)
                except Exception as error:  # noqa: BLE001 - what was taken over is done all the same
                    problem = told(error, _LONGEST_PROBLEM)
                    log.warning("queue of what is taken over not deleted", problem=problem)

    def _tracked(self) -> Callable[[str, str], Any]:
        async def investigate(investigation_id: str, incident_id: str) -> str:
            task = asyncio.current_task()
            if task is not None:
                self._inside.add(task)
                task.add_done_callback(self._inside.discard)
            with _fenced(investigation_id):
                return await self._workflow(investigation_id, incident_id)

        return investigate

    def _config(self) -> DBOSConfig:
        return {
            "name": _NAME,
            "system_database_url": self._url,
            "application_version": _APPLICATION_VERSION,
            "executor_id": self._replica_id,
            "serializer": JsonSerializer(),
            "log_level": "ERROR",
            "enable_otlp": False,
            "max_executor_threads": _THREADS,
            "notification_listener_polling_interval_sec": _POLL_SECONDS,
            "use_listen_notify": False,  # nothing of ours waits for a message
            "sys_db_pool_size": _THREADS,
            # Its own connections would wait for ever for a server that is frozen.
            "system_database_engine": self._database,
        }


@contextmanager
def _fenced(run: str) -> Iterator[None]:
    """End a run that was taken over by another replica without a word of its own."""
    try:
        yield
    except dbos_errors.DBOSWorkflowConflictIDError:
        raise LostError(f"{run}: taken over by another replica") from None


async def step(name: str, function: Callable[[], Awaitable[Any]]) -> Any:
    """Run *function* as a step of the workflow around it, or give what it gave before a restart.

    Its result is plain data, which is stored before this returns.
    """

    async def run() -> Any:
        return await function()

    return await DBOS.run_step_async({"name": name}, run)


def _destroy() -> None:
    DBOS.destroy(destroy_registry=True)


def _quiet() -> None:
    """Leave DBOS's records to the program's own logging: it adds its handler only to none."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
