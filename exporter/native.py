"""Reads a model server's own metrics: what runs, what waits, and whether tokens move."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.target import Native
from exporter.transport import Request, Transport
from exporter.verdict import NativeView

_TIMEOUT_SECONDS = 2.0
_LIMIT_BYTES = 8 << 20
_LEAST_PERIOD_SECONDS = 0.2
_VALUE = re.compile(r"(?:\{.*\})?\s+(\S+)(?:\s+\S+)?\s*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """One server's names; of `tokens` each may also carry `_total` or lack it."""

    running: str
    waiting: str
    tokens: tuple[str, ...]


# From the servers' sources: vLLM v1 loggers.py, SGLang metrics_collector.py, TGI server.rs (its
# token counter is a histogram's sum), llama.cpp tools/server.
SERVERS: Mapping[str, Names] = {
    "vllm": Names(
        running="vllm:num_requests_running",
        waiting="vllm:num_requests_waiting",
        tokens=("vllm:generation_tokens", "vllm:prompt_tokens"),
    ),
    "sglang": Names(
        running="sglang:num_running_reqs",
        waiting="sglang:num_queue_reqs",
        tokens=("sglang:generation_tokens", "sglang:prompt_tokens"),
    ),
    "tgi": Names(
        running="tgi_batch_current_size",
        waiting="tgi_queue_size",
        tokens=("tgi_request_generated_tokens_sum",),
    ),
    "llamacpp": Names(
        running="llamacpp:requests_processing",
        waiting="llamacpp:requests_deferred",
        tokens=("llamacpp:tokens_predicted", "llamacpp:prompt_tokens"),
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One look at the metrics, label sets added up; None for a family that is not there."""

    at: float
    reachable: bool
    running: float | None = None
    waiting: float | None = None
    tokens: float | None = None


def parse(text: str, names: Names, at: float) -> Reading:
    """Read the three figures out of a text exposition; lines that are none are skipped."""
    sums: dict[str, float] = {}
    for line in text.splitlines():
        name = re.split(r"[{\s]", line, maxsplit=1)[0]
        value = _value(line[len(name) :]) if name else None
        if value is not None:
            key = name.removesuffix("_total")
            sums[key] = sums.get(key, 0.0) + value
    counted = [sums[name] for name in names.tokens if name in sums]
    return Reading(
        at=at,
        reachable=True,
        running=sums.get(names.running),
        waiting=sums.get(names.waiting),
        tokens=sum(counted) if counted else None,
    )


def _value(rest: str) -> float | None:
    match = _VALUE.fullmatch(rest)
    try:
        value = float(match[1]) if match else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


async def read(native: Native, transport: Transport, clock: Callable[[], float]) -> Reading:
    """Fetch and read the metrics once, within two seconds; never raises."""
    exchange = await transport.exchange(
        Request(
            method="GET",
            url=native.url,
            headers={"Accept": "text/plain;version=0.0.4"},
            timeout_seconds=_TIMEOUT_SECONDS,
            limit_bytes=_LIMIT_BYTES,
        )
    )
    if exchange.failure is not None or exchange.status != 200:
        return Reading(at=clock(), reachable=False)
    return parse(exchange.body.decode("utf-8", "replace"), SERVERS[native.server], clock())


@dataclass(kw_only=True, slots=True)
class Watch:
    """Looks at the metrics while a run goes on, so that a late run can be explained."""

    native: Native
    transport: Transport
    clock: Callable[[], float]
    period_seconds: float
    readings: list[Reading] = field(default_factory=list)

    async def look(self) -> Reading:
        """Take one reading and keep it."""
        reading = await read(self.native, self.transport, self.clock)
        self.readings.append(reading)
        return reading

    async def keep_looking(self) -> None:
        """Take a reading at once and then each period, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(max(self.period_seconds, _LEAST_PERIOD_SECONDS))

    async def conclude(self) -> NativeView:
        """Take the last reading and say what the readings show together."""
        await self.look()
        return view(self.readings, least_apart_seconds=self.period_seconds / 2)


def view(readings: Sequence[Reading], *, least_apart_seconds: float) -> NativeView:
    """Say whether tokens moved between the last reading and the newest one well before it."""
    last = readings[-1]
    if not last.reachable:
        return NativeView(reachable=False)
    before = [
        reading
        for reading in readings[:-1]
        if reading.reachable and last.at - reading.at >= least_apart_seconds
    ]
    moved: bool | None = None
    if before and before[-1].tokens is not None and last.tokens is not None:
        # A counter that fell was reset: the server was started anew, which is a movement too.
        moved = last.tokens != before[-1].tokens
    return NativeView(reachable=True, waiting=last.waiting, moved=moved)
