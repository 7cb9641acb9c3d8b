"""Delivers what the outbox holds: at least once, each destination by itself, in order."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Literal, assert_never, cast

import aiohttp
import structlog

from responder.channel import Channel, Delivered, Event, Message, Rejected, Retry
from responder.guard import line, mask_secrets
from responder.metrics import Metrics
from responder.patience import patiently, patiently_read
from responder.store import incidents, outbox, replicas, reports
from responder.store.engine import Connection, StoreUnavailableError
from responder.store.outbox import Parcel
from responder.store.reports import Dossier
from responder.store.store import Store

log = structlog.get_logger(__name__)

Outcome = Delivered | Retry | Rejected

_DEADLINE_SECONDS = 30.0
_GRACE_SECONDS = 1.0
_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 60.0
_LONGEST_WISH_SECONDS = 3600.0
_LONGEST_PAUSE_SECONDS = 60.0
_JITTER_RATIO = 0.25
_LONGEST_IDLE_SECONDS = 30.0
_LONGEST_PROBLEM = 300
# While configurations are rolled out, another replica may know a channel that this one does not.
_GONE_AFTER_SECONDS = 600.0


def addresses(channels: Iterable[Channel]) -> tuple[str, ...]:
    """Give every destination of every channel, as the outbox is told of them."""
    return tuple(
        outbox.address(channel.name, destination)
        for channel in channels
        for destination in channel.destinations()
    )


class Couriers:
    """One courier for each destination of a channel, so that a dead one delays no other."""

    def __init__(  # noqa: PLR0913 - what every courier works with, given once
        self,
        store: Store,
        session: aiohttp.ClientSession,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        page_url: Callable[[str], str],
        replica_id: str,
        is_alone: bool,
    ) -> None:
        """Keep what they work with; *page_url* gives the page of an incident.

        Where a replica is not alone, it looks often for what another has put into the outbox.
        """
        self._store = store
        self._session = session
        self._metrics = metrics
        self._clock = clock
        self._page_url = page_url
        self._replica_id = replica_id
        self._is_alone = is_alone
        self._idle_seconds = _LONGEST_IDLE_SECONDS if is_alone else _GRACE_SECONDS
        self._woken: dict[object, asyncio.Event] = {}

    def wake(self) -> None:
        """Let every courier look now."""
        for each in self._woken.values():
            each.set()

    async def run(self, channel: Channel) -> None:
        """Deliver what there is for *channel*, for ever."""
        self._metrics.outbox_expired.labels(channel.name)  # a series at 0 before the first
        try:
            async with asyncio.TaskGroup() as couriers:
                for destination in channel.destinations():
                    couriers.create_task(self._serve(channel, destination))
        finally:
            # Another replica, which may know the channel when this one no longer does, goes on.
            lease, replica_id = _lease(channel), self._replica_id
            with suppress(StoreUnavailableError, TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    await self._store.write(
                        lambda database: replicas.give_back(database, lease, replica_id)
                    )

    async def sweep(self, channels: Callable[[], Sequence[str]]) -> None:
        """Give up what waits for none of *channels*, for ever: a reload may have removed one."""
        woken = self._woken.setdefault(self, asyncio.Event())
        while True:
            woken.clear()
            with suppress(StoreUnavailableError):
                await self.give_up(channels())
            await self._wait(woken, _LONGEST_IDLE_SECONDS)

    async def give_up(self, channels: Sequence[str]) -> None:
        """Give up what waits for none of *channels*; raises StoreUnavailableError."""
        now, age_seconds = self._clock(), 0.0 if self._is_alone else _GONE_AFTER_SECONDS
        count = await self._store.write(
            lambda database: outbox.give_up(database, channels, now, age_seconds)
        )
        if count:
            log.warning("messages for gone channels given up", messages=count)

    async def _serve(self, channel: Channel, destination: str) -> None:
        woken = self._woken.setdefault((channel.name, destination), asyncio.Event())
        while True:
            woken.clear()
            wait_seconds = await self._look(channel, destination)
            if wait_seconds > 0:
                await self._wait(woken, min(wait_seconds, self._idle_seconds))

    async def _look(self, channel: Channel, destination: str) -> float:
        """Deliver one message, if one is due; give how long to wait before the next look."""
        parcel, look_again_at = await patiently_read(
            self._store,
            lambda database: outbox.next_parcel(database, channel.name, self._clock(), destination),
        )
        if parcel is None:
            return max(look_again_at - self._clock(), 0.0)
        parcel = await patiently(
            self._store, lambda database: self._taken(database, channel, destination)
        )
        if parcel is None:
            return self._idle_seconds  # another replica serves this channel, or has done so
        pause_seconds = await self._deliver(parcel, channel)
        if pause_seconds > 0:
            await asyncio.sleep(pause_seconds)
        return 0.0

    def _taken(self, connection: Connection, channel: Channel, destination: str) -> Parcel | None:
        """Take what is due while this replica serves the channel; its attempt counts from here."""
        if not replicas.hold(connection, _lease(channel), self._replica_id):
            return None
        parcel, _ = outbox.next_parcel(connection, channel.name, self._clock(), destination)
        if parcel is not None:
            outbox.begin(connection, parcel.id)
        return parcel

    async def _wait(self, woken: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken.wait()

    async def _deliver(self, parcel: Parcel, channel: Channel) -> float:
        """Deliver once and note what came of it; give how long the far end wants to be left."""
        outcome = await self._tried(parcel, channel)
        now = self._clock()
        ending = _ending(parcel, channel, outcome, now)
        self._count(parcel, outcome, ending)
        await patiently(
            self._store, lambda database: _noted(database, parcel, outcome, ending, now)
        )
        wish_seconds = outcome.after_seconds if isinstance(outcome, Retry) else None
        return min(wish_seconds or 0.0, _LONGEST_PAUSE_SECONDS)

    async def _tried(self, parcel: Parcel, channel: Channel) -> Outcome:
        try:
            message = await patiently_read(
                self._store, lambda database: self._message(database, parcel)
            )
        except Exception as error:  # noqa: BLE001 - what cannot be read holds up nothing else
            # Not its text: that quotes what is stored. Another version may be able to read it.
            kind = type(error).__name__
            return Retry(problem=f"outbox: its report or incident cannot be read ({kind})")
        if message is None:
            return Rejected(problem="outbox: its report is gone; none can be sent")
        return await self._sent(message, channel)

    def _count(self, parcel: Parcel, outcome: Outcome, ending: str) -> None:
        kind = "retry" if ending == outbox.PENDING else ending
        kind = "retry" if ending == outbox.EXPIRED else kind
        self._metrics.outbox_attempts.labels(parcel.channel, kind).inc()
        if isinstance(outcome, Delivered):
            return
        self._metrics.outbox_failures.labels(parcel.channel).inc()
        if ending == outbox.EXPIRED:
            self._metrics.outbox_expired.labels(parcel.channel).inc()
        log.warning(
            "message not taken",
            channel=parcel.channel,
            parcel=parcel.id,
            problem=_fit(outcome.problem),
            ending=ending,
        )

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
            event=cast("Event", parcel.event),
            note=parcel.note,
            destination=parcel.destination,
            reference=parcel.reference,
            earlier_attempts=parcel.attempts,
            chart_svg=chart_of(dossier),
        )

    async def _sent(self, message: Message, channel: Channel) -> Outcome:
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS + _GRACE_SECONDS):
                return await channel.send(message, self._session, _DEADLINE_SECONDS)
        except TimeoutError:
            return Retry(problem=f"{channel.name}: nothing within {_DEADLINE_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 - a channel's own fault must not end its courier
            return Retry(problem=f"{channel.name}: the channel failed ({type(error).__name__})")


def _lease(channel: Channel) -> str:
    return f"courier {channel.name}"


Ending = Literal["delivered", "rejected", "expired", "pending"]


def _ending(parcel: Parcel, channel: Channel, outcome: Outcome, now: float) -> Ending:
    """Decide how a message stands after an attempt.

    Only an attempt that failed after the horizon ends it, so that neither a long stop of ours nor
    a step of the clock gives up what could have been delivered.
    """
    if isinstance(outcome, Delivered):
        return "delivered"
    if isinstance(outcome, Rejected):
        return "rejected"
    return "expired" if now - parcel.created_at >= channel.horizon else "pending"


def _noted(
    connection: Connection, parcel: Parcel, outcome: Outcome, ending: Ending, now: float
) -> None:
    match outcome:
        case Delivered():
            outbox.delivered(connection, parcel.id, now, outcome.reference)
        case Rejected():
            outbox.rejected(connection, parcel.id, now, _fit(outcome.problem))
        case Retry() if ending == "expired":
            outbox.expired(connection, parcel.id, now, _fit(outcome.problem))
        case Retry():
            chance = random.random()  # noqa: S311 - spreads retries, guards nothing
            wait_seconds = backoff_seconds(parcel.attempts, outcome.after_seconds, chance)
            problem = _fit(outcome.problem)
            outbox.put_off(connection, parcel.id, now + wait_seconds, problem, now)
        case _:
            assert_never(outcome)


def _fit(problem: str) -> str:
    return mask_secrets(line(problem, _LONGEST_PROBLEM))


def backoff_seconds(attempts: int, wish_seconds: float | None, chance: float = 0.0) -> float:
    """Give how long to wait after so many failed attempts before; the far end's wish is a floor.

    *chance*, from 0 to 1, lengthens it by up to a quarter, so that not all come back at once.
    """
    doubled = _FIRST_BACKOFF_SECONDS * math.pow(2, min(attempts, 16))
    own = min(doubled, _LONGEST_BACKOFF_SECONDS)
    return max(own, min(wish_seconds or 0.0, _LONGEST_WISH_SECONDS)) * (1 + _JITTER_RATIO * chance)


def chart_of(dossier: Dossier) -> str:
    """Give the chart that shows the report's first cause, else any; empty when there is none."""
    causes = dossier.report.causes[:1]
    cited = {name for cause in causes for claim in cause.claims for name in claim.evidence}
    drawn = [each for each in dossier.evidence if each.get("chart_svg")]
    drawn.sort(key=lambda each: each.get("id") not in cited)
    return str(drawn[0]["chart_svg"]) if drawn else ""
