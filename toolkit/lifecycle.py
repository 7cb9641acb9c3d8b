"""Supervised tasks, an orderly stop, and the signals that ask for it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self

import structlog
import uvloop

log = structlog.get_logger(__name__)

_SHORTEST_PAUSE_SECONDS = 0.05
_LAST_SECONDS = 1.0


class Supervisor:
    """Owns every background task of a program: restarts what dies, stops all in time.

    `async with Supervisor() as supervisor:`; on exit every task is cancelled, and cancelled again
    when it goes on, until `stop_within_seconds` are over. What still runs then is logged and left.
    With the web side's and `run`'s own limits the whole program stops within ten seconds.
    """

    def __init__(
        self,
        *,
        stop_within_seconds: float = 6,
        first_backoff_seconds: float = 0.5,
        longest_backoff_seconds: float = 60,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the limits; *sleep* is called between a death and the restart."""
        self._stop_within_seconds = stop_within_seconds
        self._first_backoff_seconds = first_backoff_seconds
        self._longest_backoff_seconds = longest_backoff_seconds
        self._sleep = sleep
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._deaths: dict[str, int] = {}
        self._asked_to_stop: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def __aenter__(self) -> Self:
        """Begin; tasks are spawned from here on."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop every task."""
        self._stopping = True
        await self.stop(*self._tasks)

    def spawn(
        self,
        name: str,
        function: Callable[..., Coroutine[Any, Any, object]],
        *args: object,
        restart: bool = True,
    ) -> None:
        """Run `function(*args)` as task *name*; a task that returns is finished, not dead.

        Raises ValueError when a task of that name runs, RuntimeError while stopping.
        """
        if self._stopping:
            raise RuntimeError(f"task {name}: not started; the supervisor is stopping")
        before = self._tasks.get(name)
        if before is not None and not before.done():
            raise ValueError(f"task {name}: runs already; choose another name")
        self._deaths.setdefault(name, 0)
        watched = self._watch(name, lambda: function(*args), restart=restart)
        self._tasks[name] = asyncio.create_task(watched, name=name)

    async def stop(self, *names: str) -> None:
        """Cancel the named tasks and wait for them, `stop_within_seconds` at most."""
        tasks = {self._tasks[name] for name in names if name in self._tasks}
        for task in tasks:
            self._asked_to_stop.add(task)
            task.add_done_callback(self._asked_to_stop.discard)
        left = await cancelled(tasks, within_seconds=self._stop_within_seconds)
        for task in left:
            log.error("task does not stop", task=task.get_name())
        for name in names:
            self._tasks.pop(name, None)

    def deaths(self) -> Mapping[str, int]:
        """Give, for each task ever spawned, how often it died of an exception."""
        return dict(self._deaths)

    def alive(self) -> Mapping[str, bool]:
        """Give, for each task, whether it runs or waits to be restarted."""
        return {name: not task.done() for name, task in self._tasks.items()}

    async def _watch(
        self, name: str, start: Callable[[], Coroutine[Any, Any, object]], *, restart: bool
    ) -> None:
        backoff_seconds = self._first_backoff_seconds
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            if not await self._dies(name, start, restart=restart) or not restart:
                return
            if asyncio.current_task() in self._asked_to_stop:
                return
            if loop.time() - began > self._longest_backoff_seconds:
                backoff_seconds = self._first_backoff_seconds
            await self._sleep(backoff_seconds)
            backoff_seconds = min(2 * backoff_seconds, self._longest_backoff_seconds)

    async def _dies(
        self, name: str, start: Callable[[], Coroutine[Any, Any, object]], *, restart: bool
    ) -> bool:
        """Live once; tell whether it died, and was not asked to."""
        before = _cancellations()
        try:
            await start()
        except asyncio.CancelledError:
            if _cancellations() > before:
                raise
            self._bury(name, restart=restart, error="cancelled from inside")
        except Exception as error:  # noqa: BLE001 - the boundary that keeps the rest running
            self._bury(name, restart=restart, error=error)
            _forget_cancellations(before)
        else:
            return False
        return True

    def _bury(self, name: str, *, restart: bool, error: Exception | str) -> None:
        self._deaths[name] += 1
        trace = error if isinstance(error, Exception) else None
        log.error("task died", task=name, restart=restart, error=str(error), exc_info=trace)


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def _forget_cancellations(before: int) -> None:
    """Take back what a TaskGroup in Python 3.11 leaves: it cancels its parent to end a wait.

    With that left, the task would look like one that is asked to stop, and would not come back.
    """
    task = asyncio.current_task()
    while task is not None and task.cancelling() > before:
        task.uncancel()


async def cancelled(
    tasks: set[asyncio.Task[Any]], *, within_seconds: float
) -> set[asyncio.Task[Any]]:
    """Cancel *tasks*, again while they ignore it; give those that outlast the limit.

    The first cancellation leaves half of the time to tidy up, the next a quarter, and so on.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + within_seconds
    left = {task for task in tasks if not task.done()}
    while left and loop.time() < ends:
        for task in left:
            task.cancel()
        pause_seconds = max(_SHORTEST_PAUSE_SECONDS, (ends - loop.time()) / 2)
        _, left = await asyncio.wait(left, timeout=pause_seconds)
    return left


@asynccontextmanager
async def _signals(callback: Callable[[], None], *numbers: signal.Signals) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, callback)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT; a second one then ends the process at once."""
    asked = asyncio.Event()
    async with _signals(asked.set, signal.SIGTERM, signal.SIGINT):
        await asked.wait()
    log.info("asked to stop")


async def each_hangup(reload: Callable[[], Awaitable[None]]) -> None:
    """Call *reload* after each SIGHUP, one at a time; what it raises is logged."""
    asked = asyncio.Event()
    async with _signals(asked.set, signal.SIGHUP):
        while True:
            await asked.wait()
            asked.clear()
            try:
                await reload()
            except Exception as error:  # noqa: BLE001 - a bad reload keeps the old configuration
                log.warning("reload failed", error=str(error))


def run(main: Coroutine[Any, Any, int | None]) -> int:
    """Run *main* under uvloop and give its exit code; what it left running is cancelled."""
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(main) or 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        _close(loop)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    with suppress(KeyboardInterrupt):
        left = asyncio.all_tasks(loop)
        loop.run_until_complete(cancelled(left, within_seconds=_LAST_SECONDS))
        loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
