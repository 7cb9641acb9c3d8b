"""Lifecycle: tasks that die come back, and everything stops in time."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from toolkit.lifecycle import Supervisor, cancelled, each_hangup, run, until_stopped

ROOT = Path(__file__).parents[2]


async def until(holds: Callable[[], bool]) -> None:
    """Wait until *holds*, a minute at most."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


async def forever() -> None:
    """Run until cancelled."""
    await asyncio.Event().wait()


class Naps:
    """Stands in for sleep: notes how long, and does not wait."""

    def __init__(self) -> None:
        """Start with no nap."""
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Note *seconds*."""
        self.seconds.append(seconds)
        await asyncio.sleep(0)


async def test_death_and_return() -> None:
    """A task that dies is counted, told, and started again with its arguments."""
    lives: list[str] = []

    async def mortal(word: str) -> None:
        lives.append(word)
        if len(lives) < 3:
            raise ValueError(word)
        await forever()

    with structlog.testing.capture_logs() as logs:
        async with Supervisor(sleep=Naps()) as supervisor:
            supervisor.spawn("mortal", mortal, "hello")
            await until(lambda: len(lives) == 3)
            assert supervisor.deaths() == {"mortal": 2}
            assert supervisor.alive() == {"mortal": True}
    assert lives == ["hello"] * 3
    deaths = [each for each in logs if each["event"] == "task died"]
    assert [(each["task"], each["error"]) for each in deaths] == [("mortal", "hello")] * 2


async def test_backoff() -> None:
    """The pause before a restart doubles up to its cap."""
    naps = Naps()

    async def dead() -> None:
        raise RuntimeError("dead on arrival")

    async with Supervisor(
        sleep=naps, first_backoff_seconds=1, longest_backoff_seconds=5
    ) as supervisor:
        supervisor.spawn("dead", dead)
        await until(lambda: len(naps.seconds) >= 5)
    assert naps.seconds[:5] == [1, 2, 4, 5, 5]


async def test_no_restart() -> None:
    """A task spawned without restart stays dead, and is seen to be."""

    async def dead() -> None:
        raise RuntimeError("once")

    async with Supervisor() as supervisor:
        supervisor.spawn("dead", dead, restart=False)
        await until(lambda: not supervisor.alive()["dead"])
        assert supervisor.deaths() == {"dead": 1}


async def test_finished() -> None:
    """A task that returns is finished, not dead, and its name is free again."""

    async def short() -> None:
        await asyncio.sleep(0)

    async with Supervisor() as supervisor:
        supervisor.spawn("short", short)
        await until(lambda: not supervisor.alive()["short"])
        assert supervisor.deaths() == {"short": 0}
        supervisor.spawn("short", short)


async def test_return_after_a_group_of_tasks_failed() -> None:
    """A task one of whose own children fails is counted and started again, each time."""
    lives = 0

    async def child() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("a passing fault")

    async def parent() -> None:
        nonlocal lives
        lives += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(forever())
            if lives < 4:
                group.create_task(child())

    async with Supervisor(sleep=Naps()) as supervisor:
        supervisor.spawn("parent", parent)
        await until(lambda: lives == 4)
        assert supervisor.deaths() == {"parent": 3}
        assert supervisor.alive() == {"parent": True}
    assert supervisor.alive() == {}


async def test_stop_while_a_group_of_tasks_fails() -> None:
    """A stop that comes while a failing group tidies up is still a stop."""
    lives, is_tidying, is_tidy = 0, asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        try:
            await forever()
        finally:
            is_tidying.set()
            await is_tidy.wait()

    async def child() -> None:
        raise RuntimeError("a passing fault")

    async def parent() -> None:
        nonlocal lives
        lives += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(slow())
            await asyncio.sleep(0)
            group.create_task(child())

    async with Supervisor(sleep=Naps()) as supervisor:
        supervisor.spawn("parent", parent)
        await is_tidying.wait()
        stopped = asyncio.create_task(supervisor.stop("parent"))
        await asyncio.sleep(0)
        is_tidy.set()
        await stopped
        assert supervisor.alive() == {}
    assert lives == 1


async def test_cancelled_from_inside() -> None:
    """A task that dies of somebody else's cancellation is started again."""
    lives = 0

    async def unlucky() -> None:
        nonlocal lives
        lives += 1
        if lives == 1:
            other = asyncio.create_task(forever())
            other.cancel()
            await other
        await forever()

    async with Supervisor(sleep=Naps()) as supervisor:
        supervisor.spawn("unlucky", unlucky)
        await until(lambda: lives == 2)
        assert supervisor.deaths() == {"unlucky": 1}


async def test_name_taken() -> None:
    """A name has one running task; nothing is spawned while stopping."""
    supervisor = Supervisor()
    async with supervisor:
        supervisor.spawn("one", forever)
        with pytest.raises(ValueError, match="task one: runs already"):
            supervisor.spawn("one", forever)
    with pytest.raises(RuntimeError, match="the supervisor is stopping"):
        supervisor.spawn("two", forever)


async def test_stop_by_name() -> None:
    """A task can be stopped alone."""
    async with Supervisor() as supervisor:
        supervisor.spawn("one", forever)
        supervisor.spawn("two", forever)
        await supervisor.stop("one", "unheard of")
        assert supervisor.alive() == {"two": True}


async def test_stop_waits_for_tidying() -> None:
    """A task that tidies up on cancellation is waited for, and cancelled only once."""
    ended = asyncio.Event()

    async def tidy() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0.05)
            ended.set()

    async with Supervisor() as supervisor:
        supervisor.spawn("tidy", tidy)
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_stop_of_a_stubborn_task() -> None:
    """A task that ignores its first cancellation is cancelled again."""
    ignored = 0

    async def stubborn() -> None:
        nonlocal ignored
        while True:
            try:
                await forever()
            except asyncio.CancelledError:
                ignored += 1
                if ignored == 2:
                    raise

    async with Supervisor(stop_within_seconds=0.4) as supervisor:
        supervisor.spawn("stubborn", stubborn)
        await asyncio.sleep(0)
    assert ignored == 2
    assert supervisor.alive() == {}


async def test_stop_gives_up() -> None:
    """A task that never ends is left and told, so that the rest can stop."""
    released = asyncio.Event()

    async def undying() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    with structlog.testing.capture_logs() as logs:
        async with Supervisor(stop_within_seconds=0.2) as supervisor:
            supervisor.spawn("undying", undying)
            await asyncio.sleep(0)
    assert [each["task"] for each in logs if each["event"] == "task does not stop"] == ["undying"]
    released.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_death_while_stopping() -> None:
    """A task that dies of its cancellation is counted and not started again."""
    lives = 0

    async def fragile() -> None:
        nonlocal lives
        lives += 1
        try:
            await forever()
        except asyncio.CancelledError:
            raise ValueError("broken by the stop") from None

    async with Supervisor(sleep=Naps()) as supervisor:
        supervisor.spawn("fragile", fragile)
        await until(lambda: lives == 1)
    assert supervisor.deaths() == {"fragile": 1}
    assert lives == 1


async def test_nothing_to_cancel() -> None:
    """Cancelling nothing, or what is done, returns at once."""
    done = asyncio.create_task(asyncio.sleep(0))
    await done
    assert await cancelled({done}, within_seconds=10) == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_until_stopped(number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the wait."""
    waiting = asyncio.create_task(until_stopped())
    await asyncio.sleep(0)
    signal.raise_signal(number)
    async with asyncio.timeout(60):
        await waiting


async def test_each_hangup() -> None:
    """Each SIGHUP calls the reload; one that fails is told and does not end the listening."""
    calls = 0

    async def reload() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("bad file")

    with structlog.testing.capture_logs() as logs:
        async with Supervisor() as supervisor:
            supervisor.spawn("reload", each_hangup, reload)
            await asyncio.sleep(0)
            for number in (1, 2):
                signal.raise_signal(signal.SIGHUP)
                await until(lambda number=number: calls == number)  # type: ignore[misc]
            assert supervisor.deaths() == {"reload": 0}
    assert {"event": "reload failed", "error": "bad file", "log_level": "warning"} in logs


def test_run() -> None:
    """A program's main runs under uvloop, and its result is the exit code."""

    async def main(code: int | None) -> int | None:
        assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
        return code

    assert run(main(3)) == 3
    assert run(main(None)) == 0


def test_run_cancels_the_rest() -> None:
    """What main left running is cancelled before the loop closes."""
    ended: list[str] = []
    kept: list[asyncio.Task[None]] = []

    async def straggler() -> None:
        try:
            await forever()
        finally:
            ended.append("straggler")

    async def main() -> None:
        kept.append(asyncio.create_task(straggler()))
        await asyncio.sleep(0)

    assert run(main()) == 0
    assert ended == ["straggler"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_program_stops(number: signal.Signals) -> None:
    """A whole program ends with code 0 at either signal, whatever will not stop."""
    program = textwrap.dedent("""
        import asyncio, os
        from toolkit.lifecycle import Supervisor, run, until_stopped

        async def stubborn():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.Event().wait()

        async def main():
            async with Supervisor(stop_within_seconds=1) as supervisor:
                supervisor.spawn("stubborn", stubborn)
                asyncio.get_running_loop().call_later(0.05, os.write, 1, b"up\\n")
                await until_stopped()
            return 0

        raise SystemExit(run(main()))
    """).replace("'", '"')
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
