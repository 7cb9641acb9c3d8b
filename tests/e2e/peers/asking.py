"""Asking a peer, as an agent would, and reading its own metrics."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Collection
from typing import Any

import exporter.checks  # noqa: F401 - registers the checks
from exporter.agent import JuniorAgent, Surroundings
from exporter.instruments import Instruments
from exporter.native.page import Reading
from exporter.native.watch import read
from exporter.probe import Probe, probe_of
from exporter.probes.oip_grpc import OipGrpc
from exporter.record import TargetRecord
from exporter.run import Run, perform
from exporter.target import Native, Outcome, Reason, State, Target
from exporter.transport import open_transport
from exporter.verdict import LATE_REASONS
from lab.stack.process import Process

Kind = Callable[..., Target | Probe]

_SECONDS_TO_CHANGE = 60.0
_STILL_SECONDS = 2.0


def target_of(kind: Kind, url: str, **fields: Any) -> Target:
    """Make a target that waits long, since the machine may be busy."""
    target = kind(**{"name": "t", "url": url, "timeout": 20.0, **fields})
    assert isinstance(target, Target)
    return target


async def asked(kind: Kind, url: str, canary: str = "", **fields: Any) -> Run:
    """Ask one canary (the first) once."""
    target = target_of(kind, url, **fields)
    questions = {each.canary: each for each in probe_of(target).questions()}
    async with open_transport() as transport:
        return await perform(target, questions[canary or next(iter(questions))], transport)


async def judged(target: Target) -> Outcome:
    """Have a junior agent run once; return what it records, the state included."""
    async with open_transport() as transport:
        around = Surroundings(transport=transport, instruments=Instruments())
        record = TargetRecord(target, now=around.clock())
        await JuniorAgent(record, around).run_once()
    assert record.last is not None
    return record.last


async def page(native: Native) -> Reading:
    """Read a server's metrics; the first page may be late, as LiteLLM's is."""
    until = time.monotonic() + _SECONDS_TO_CHANGE
    async with open_transport() as transport:
        while not (reading := await read(native, transport, time.monotonic)).reachable:
            assert time.monotonic() < until, f"{native.url} does not answer"
    return reading


async def whole_page(native: Native) -> Reading:
    """Read a server's metrics; fail for a name of its row that is not on its page."""
    reading = await page(native)
    missing = [name for name, gone in reading.absent.items() if gone]
    assert not missing, f"{native.server} has no {missing}"
    return reading


async def falls(server: Process, *targets: Target) -> None:
    """Hold what is said of a server that is well, stands still, goes on, and is killed."""
    await _become(targets, State.OK, {None})
    _signal(server, signal.SIGSTOP)
    try:
        for target in targets:
            hasty = target.model_copy(update={"timeout": _STILL_SECONDS})
            if isinstance(target, OipGrpc):  # a connection begins with what its server says
                await _becomes(hasty, State.DOWN, {Reason.TIMEOUT_CONNECT})
            else:
                await _becomes(hasty, State.UNRESPONSIVE, LATE_REASONS)
    finally:
        _signal(server, signal.SIGCONT)
    await _become(targets, State.OK, {None})
    _signal(server, signal.SIGKILL)
    await server.kill()
    await _become(targets, State.DOWN, {Reason.CONNECT})


def _signal(server: Process, number: signal.Signals) -> None:
    """Signal a server and all that it started, which is one process group."""
    assert server.pid is not None
    os.killpg(server.pid, number)


async def _become(
    targets: Collection[Target], state: State, reasons: Collection[Reason | None]
) -> None:
    for target in targets:
        await _becomes(target, state, reasons)


async def _becomes(target: Target, state: State, reasons: Collection[Reason | None]) -> None:
    """Ask until a state is said, for one of these reasons; fail with what was said last."""
    until = time.monotonic() + _SECONDS_TO_CHANGE
    while True:
        last = await judged(target)
        if last.state is state and last.reason in reasons:
            return
        said = f"{last.state} ({last.reason}: {last.detail})"
        assert time.monotonic() < until, f"not {state} but {said}"
        await asyncio.sleep(0.1)  # a process that was killed takes its time to go
