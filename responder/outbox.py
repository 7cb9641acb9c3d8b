"""Delivers what the outbox holds: at least once, each channel by itself, in order per incident."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, cast

import aiohttp
import structlog

from responder.channel import Channel, Delivered, Message, Rejected, Retry
from responder.metrics import Metrics
from responder.store import incidents, outbox, reports
from responder.store.engine import Connection
from responder.store.outbox import Parcel
from responder.store.store import Store
from responder.workflows import patiently

log = structlog.get_logger(__name__)

_DEADLINE_SECONDS = 30.0
_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 60.0
_LONGEST_WISH_SECONDS = 3600.0
_LONGEST_IDLE_SECONDS = 30.0


class Couriers:
    """One courier for each channel, so that a dead destination delays no other."""

    def __init__(
        self,
        store: Store,
        session: aiohttp.ClientSession,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        page_url: Callable[[str], str],
    ) -> None:
        """Keep what they work with; *page_url* gives the page of an incident."""
        self._store = store
        self._session = session
        self._metrics = metrics
        self._clock = clock
        self._page_url = page_url
        self._woken: dict[str, asyncio.Event] = {}

    def wake(self) -> None:
        """Let every courier look now."""
        for each in self._woken.values():
            each.set()

    async def run(self, channel: Channel) -> None:
        """Deliver what there is for *channel*, for ever."""
        woken = self._woken.setdefault(channel.name, asyncio.Event())
        while True:
            woken.clear()
            parcel, look_again_at = await self._store.read(
                lambda database: outbox.next_parcel(database, channel.name, self._clock())
            )
            if parcel is not None:
                await self._deliver(parcel, channel)
                continue
            wait_seconds = min(max(look_again_at - self._clock(), 0.0), _LONGEST_IDLE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await woken.wait()

    async def _deliver(self, parcel: Parcel, channel: Channel) -> None:
        message = await self._store.read(lambda database: self._message(database, parcel))
        if message is None:
            outcome: Delivered | Retry | Rejected = Rejected(problem="its report is gone")
        else:
            outcome = await self._sent(message, channel)
        if not isinstance(outcome, Delivered):
            self._metrics.outbox_failures.labels(channel.name).inc()
            problem = outcome.problem
            log.warning(
                "message not taken", channel=channel.name, parcel=parcel.id, problem=problem
            )
        now = self._clock()
        await patiently(self._store, lambda database: _noted(database, parcel, outcome, now))

    def _message(self, connection: Connection, parcel: Parcel) -> Message | None:
        dossier = reports.of_incident(connection, parcel.incident_id)
        incident = incidents.get(connection, parcel.incident_id)
        if dossier is None or incident is None:
            return None
        return Message(
            idempotency_key=parcel.idempotency_key,
            report=dossier.report,
            incident=incident,
            page_url=self._page_url(incident.id),
            event=cast("Literal['reported', 'resolved']", parcel.event),
        )

    async def _sent(self, message: Message, channel: Channel) -> Delivered | Retry | Rejected:
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                return await channel.send(message, self._session, _DEADLINE_SECONDS)
        except TimeoutError:
            return Retry(problem=f"nothing within {_DEADLINE_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 - a channel's own fault must not end its courier
            return Retry(problem=f"the channel failed ({type(error).__name__})")


def _noted(
    connection: Connection, parcel: Parcel, outcome: Delivered | Retry | Rejected, now: float
) -> None:
    if isinstance(outcome, Delivered):
        outbox.delivered(connection, parcel.id, now, outcome.reference)
    elif isinstance(outcome, Rejected):
        outbox.rejected(connection, parcel.id, now, outcome.problem)
    else:
        due_at = now + backoff_seconds(parcel.attempts, outcome.after_seconds)
        outbox.put_off(connection, parcel.id, due_at, outcome.problem)


def backoff_seconds(attempts: int, wish_seconds: float | None) -> float:
    """Give how long to wait after so many failed attempts; the far end's wish is a floor."""
    doubled = _FIRST_BACKOFF_SECONDS * math.pow(2, min(attempts, 16))
    own = min(doubled, _LONGEST_BACKOFF_SECONDS)
    return max(own, min(wish_seconds or 0.0, _LONGEST_WISH_SECONDS))
