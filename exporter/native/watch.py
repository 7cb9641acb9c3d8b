"""Looks at a model server's metrics around a run, so that a late run can be explained."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from exporter.http_terms import authorization
from exporter.native.names import SERVERS, Names
from exporter.native.page import Reading, parse
from exporter.target import Native
from exporter.transport import Request, Transport
from exporter.verdict import NativeView
from toolkit.secrets import SecretError

_TIMEOUT_SECONDS = 2.0
_LIMIT_BYTES = 8 << 20
_LEAST_PERIOD_SECONDS = 0.2


async def read(native: Native, transport: Transport, clock: Callable[[], float]) -> Reading:
    """Fetch and read the metrics once, within two seconds; never raises.

    A server that says it has no such page is there all the same, with every name missing. A
    credential that cannot be read says nothing of the server.
    """
    names = SERVERS[native.server]
    try:
        credentials = authorization(native.auth)
    except SecretError:
        return Reading(at=clock(), reachable=True, progress=(None,) * len(names.progress))
    exchange = await transport.exchange(
        Request(
            method="GET",
            url=native.url,
            headers={"Accept": "text/plain;version=0.0.4", **credentials},
            timeout_seconds=_TIMEOUT_SECONDS,
            limit_bytes=_LIMIT_BYTES,
            tls=native.tls,
            follow_redirects=True,  # LiteLLM sends from /metrics to /metrics/
        )
    )
    status = exchange.status
    broken = status is None or (status >= 500 and status != 501)
    if exchange.failure is not None or broken:
        return Reading(at=clock(), reachable=False)
    text = exchange.body.decode("utf-8", "replace") if status == 200 else ""
    return parse(text, names, clock())


@dataclass(kw_only=True, slots=True)
class Watch:
    """Looks at the metrics while a run goes on."""

    native: Native
    transport: Transport
    clock: Callable[[], float]
    period_seconds: float
    readings: list[Reading] = field(default_factory=list)
    _looked: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self) -> Reading:
        """Take one reading and keep it."""
        reading = await read(self.native, self.transport, self.clock)
        self.readings.append(reading)
        self._looked.set()
        return reading

    async def keep_looking(self) -> None:
        """Take a reading at once and then each period, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(max(self.period_seconds, _LEAST_PERIOD_SECONDS))

    async def looked(self) -> None:
        """Wait for the first reading, so that a short run does not cut each one off."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), 2 * _TIMEOUT_SECONDS)

    async def conclude(self) -> NativeView:
        """Take the last reading and say what the readings show together."""
        await self.look()
        names = SERVERS[self.native.server]
        return view(self.readings, names, least_apart_seconds=self.period_seconds / 2)

    def absent(self) -> Mapping[str, bool] | None:
        """Say of each name whether the last page lacked it; None without a reading."""
        return self.readings[-1].absent if self.readings else None


def view(readings: Sequence[Reading], names: Names, *, least_apart_seconds: float) -> NativeView:
    """Say whether work went on between the last reading and one well before it.

    The newest such one, since work may have stopped during the run; the oldest where only finished
    requests are counted. Stillness for less than the page's age proves nothing.
    """
    last = readings[-1]
    if not last.reachable:
        return NativeView(reachable=False)
    before = [
        reading
        for reading in readings[:-1]
        if reading.reachable and last.at - reading.at >= least_apart_seconds
    ]
    aged = [reading for reading in before if last.at - reading.at >= names.refresh_seconds]
    chosen = aged or before
    moved: bool | None = None
    if chosen:
        moved = _differ(chosen[0 if names.at_end else -1], last)
        moved = None if moved is False and not aged else moved
    return NativeView(reachable=True, waiting=last.waiting, moved=moved)


def _differ(before: Reading, last: Reading) -> bool | None:
    """Compare counter by counter; one that fell was reset, by a new start, which is work too."""
    pairs = [
        (one, other)
        for one, other in zip(before.progress, last.progress, strict=True)
        if one is not None and other is not None
    ]
    return any(one != other for one, other in pairs) if pairs else None
