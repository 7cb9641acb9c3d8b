"""Durable before the acknowledgement: one transaction holds body, episodes, incident and work."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from responder.admission import Post, Rules, admit
from responder.alert import Alert, Change, Delivery
from responder.announcements import read_changes
from responder.store import comparison, deliveries, work
from responder.store.deliveries import Raw
from responder.store.engine import Connection, StoreRefusedError, StoreUnavailableError
from responder.store.store import Store
from responder.webhook_v4 import Reading, UnreadableError, read_delivery

__all__ = ["Intake", "OverloadedError", "Rules", "Taken"]

log = structlog.get_logger(__name__)

_LARGEST_INLINE_BYTES = 256 * 1024


class OverloadedError(Exception):
    """Nothing can be taken in just now; the sender should try again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a post came to: its alerts, and the problem of what could not be read.

    `changed` counts the episodes that what was learnt late has begun or ended, `changes` the
    deployments and the like that were new.
    """

    alerts: tuple[Alert, ...] = ()
    problem: str | None = None
    has_news: bool = False
    changed: int = 0
    changes: int = 0


class Intake:
    """Takes posts in; *wake* is called when there may be new work or messages."""

    def __init__(
        self,
        store: Store,
        rules: Callable[[], Rules],
        *,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        """Keep what it works with."""
        self._store = store
        self._rules = rules
        self._clock = clock
        self._wake = wake
        self._ids = _rising_ids()
        # The one object by which the writer knows that posts can be taken in together.
        self._together = self._admit

    async def alerts(self, body: bytes) -> Taken:
        """Store a post of Alertmanager; returning means it is on disk.

        Raises OverloadedError when it is not and should be sent again.
        """
        received_at = self._clock()
        raw = Raw(id=self._ids(), kind="alertmanager", received_at=received_at, body=body)
        try:
            reading = await _read(body, received_at)
        except UnreadableError as error:
            return await self._quarantine(raw, str(error))
        problem = "; ".join(reading.problems) or None
        kept = raw if problem is None else replace(raw, problem=problem)
        post = Post(raw=kept, delivery=reading.delivery, at=received_at)
        try:
            has_news = await self._admitted(post)
        except OverloadedError:
            raise
        except Exception as error:  # noqa: BLE001 - sent again it would fail again: it is kept raw
            return await self._quarantine(raw, _not_taken(error))
        return Taken(alerts=reading.delivery.alerts, problem=problem, has_news=has_news)

    async def take_late(self, raw: Raw, delivery: Delivery, reason: str = "") -> Taken:
        """Store alerts that were learnt otherwise than by a webhook, firing or over already.

        What is there already (the same fingerprint and start, or a time in common) is not stored
        twice, now or when a webhook tells of it later. An open episode that *delivery* says is
        over ends. The incidents are told the *reason*. Raises OverloadedError, and whatever our own
        code fails with.
        """
        post = Post(raw=raw, delivery=delivery, at=self._clock(), is_late=True)

        def take(connection: Connection) -> int:
            (outcome,) = self._admit(connection, [post])
            if isinstance(outcome, Exception):
                raise outcome
            return comparison.tell(connection, raw.id, post.at, reason)

        try:
            changed = await self._store.write(take)
        except StoreUnavailableError as error:
            raise OverloadedError(str(error)) from error
        if changed:
            self._wake()
        return Taken(alerts=delivery.alerts, has_news=changed > 0, changed=changed)

    async def again(self, delivery_id: str) -> Taken:
        """Read a quarantined post again, and store what it says as of when it came.

        Its `problem` is what still cannot be read: it then stays in quarantine. A post that is
        not there, or not in quarantine, comes to nothing. Raises OverloadedError.
        """
        raw = await self._unread(delivery_id)
        if raw is None:
            return Taken()
        try:
            if raw.kind == "change":
                return await self._change_again(raw)
            return await self._alerts_again(raw)
        except UnreadableError as error:
            return Taken(problem=str(error))

    async def _unread(self, delivery_id: str) -> Raw | None:
        try:
            return await self._store.read(lambda database: deliveries.unread(database, delivery_id))
        except StoreUnavailableError as error:
            raise OverloadedError(str(error)) from error

    async def _alerts_again(self, raw: Raw) -> Taken:
        reading = await _read(raw.body, raw.received_at)
        problem = "; ".join(reading.problems) or None
        post = Post(
            raw=replace(raw, problem=problem),
            delivery=reading.delivery,
            at=self._clock(),
            is_late=True,
            is_stored=True,
        )
        try:
            has_news = await self._admitted(post)
        except OverloadedError:
            raise
        except Exception as error:  # noqa: BLE001 - it stays where it is
            return Taken(problem=_not_taken(error))
        return Taken(alerts=reading.delivery.alerts, problem=problem, has_news=has_news)

    async def _change_again(self, raw: Raw) -> Taken:
        changes, at = read_changes(raw.body, raw.received_at), self._clock()

        def keep(connection: Connection) -> int:
            deliveries.requeue(connection, raw.id, at)
            return _kept(connection, changes, raw.id)

        count = await self._write(keep)
        return Taken(has_news=count > 0, changes=count)

    async def change(self, body: bytes) -> Taken:
        """Store a post of the change webhook, as `alerts` does."""
        received_at = self._clock()
        raw = Raw(id=self._ids(), kind="change", received_at=received_at, body=body)
        try:
            changes = read_changes(body, received_at)
        except UnreadableError as error:
            return await self._quarantine(raw, str(error))

        def keep(connection: Connection) -> int:
            deliveries.keep(connection, raw)
            return _kept(connection, changes, raw.id)

        try:
            count = await self._write(keep)
            return Taken(has_news=count > 0, changes=count)
        except StoreRefusedError as error:
            return await self._quarantine(raw, _not_taken(error))

    async def broken(self, kind: str, body: bytes, problem: str) -> Taken:
        """Store what came of a body that broke off or could not be unpacked."""
        raw = Raw(id=self._ids(), kind=kind, received_at=self._clock(), body=body)
        return await self._quarantine(raw, problem)

    async def _quarantine(self, raw: Raw, problem: str) -> Taken:
        def keep(connection: Connection) -> bool:
            deliveries.keep(connection, replace(raw, problem=problem))
            return False

        await self._write(keep)
        log.warning("post quarantined", kind=raw.kind, delivery=raw.id, problem=problem)
        return Taken(problem=problem)

    async def _admitted(self, post: Post) -> bool:
        try:
            has_news = await self._store.write_together(self._together, post)
        except StoreUnavailableError as error:
            raise OverloadedError(str(error)) from error
        if has_news:
            self._wake()
        return has_news

    def _admit(self, connection: Connection, posts: Sequence[Post]) -> Sequence[bool | Exception]:
        rules = self._rules()
        if work.pending(connection) >= rules.pending_limit:
            return [_overloaded(rules.pending_limit) for _ in posts]
        return admit(connection, posts, rules)

    async def _write(self, job: Callable[[Connection], int]) -> int:
        limit = self._rules().pending_limit

        def bounded(connection: Connection) -> int:
            if work.pending(connection) >= limit:
                raise _overloaded(limit)
            return job(connection)

        try:
            return await self._store.write(bounded)
        except StoreUnavailableError as error:
            raise OverloadedError(str(error)) from error


def _rising_ids() -> Callable[[], str]:
    """Give ids of this process alone, each after the one before: an index grows at its end."""
    lot, numbers = os.urandom(12).hex(), itertools.count()
    return lambda: f"{lot}{next(numbers):08x}"


def _not_taken(error: Exception) -> str:
    return f"could not be taken in ({type(error).__name__})"


def _overloaded(limit: int) -> OverloadedError:
    return OverloadedError(f"intake: {limit} investigations wait; try later")


async def _read(body: bytes, received_at: float) -> Reading:
    if len(body) <= _LARGEST_INLINE_BYTES:
        return read_delivery(body, received_at)
    # A long one is read beside the loop, which others wait for.
    return await asyncio.to_thread(read_delivery, body, received_at)


def _kept(connection: Connection, changes: Sequence[Change], delivery_id: str) -> int:
    """Store the changes of a post; tell how many were new."""
    return sum(deliveries.keep_change(connection, each, delivery_id) for each in changes)
