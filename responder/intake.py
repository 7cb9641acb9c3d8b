"""Durable before the acknowledgement: one transaction holds body, episodes, incident and work."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from responder.alert import Alert, AlertStatus, Delivery, Episode
from responder.incident import (
    WATCHDOG,
    IncidentState,
    Known,
    Motion,
    Placement,
    Policy,
    keys,
    motion,
    place,
    severity_rank,
    turn,
)
from responder.settlement import settle
from responder.store import deliveries, episodes, incidents, work
from responder.store.deliveries import Raw
from responder.store.engine import Connection, StoreUnavailableError
from responder.store.incidents import Entry, Opening
from responder.store.store import Store
from responder.webhook_v4 import UnreadableError, read_change, read_delivery

log = structlog.get_logger(__name__)


class OverloadedError(Exception):
    """Nothing can be taken in just now; the sender should try again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a post came to: its alerts, and the problem of what could not be read."""

    alerts: tuple[Alert, ...] = ()
    problem: str | None = None
    has_news: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What intake goes by; read anew for each post, so that a reload reaches it."""

    policy: Policy
    channels: tuple[str, ...]
    pending_limit: int


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

    async def alerts(self, body: bytes) -> Taken:
        """Store a post of Alertmanager; returning means it is on disk.

        Raises OverloadedError when it is not and should be sent again.
        """
        received_at = self._clock()
        raw = Raw(id=uuid.uuid4().hex, kind="alertmanager", received_at=received_at, body=body)
        try:
            reading = read_delivery(body, received_at)
        except UnreadableError as error:
            return await self._quarantine(raw, str(error))
        problem = "; ".join(reading.problems) or None
        kept = replace(raw, problem=problem)
        rules = self._rules()
        try:
            has_news = await self._write(
                lambda connection: take_delivery(connection, kept, reading.delivery, rules)
            )
        except OverloadedError:
            raise
        except Exception as error:  # noqa: BLE001 - sent again it would fail again: it is kept raw
            return await self._quarantine(raw, f"could not be taken in ({type(error).__name__})")
        if has_news:
            self._wake()
        return Taken(alerts=reading.delivery.alerts, problem=problem, has_news=has_news)

    async def change(self, body: bytes) -> Taken:
        """Store a post of the change webhook, as `alerts` does."""
        received_at = self._clock()
        raw = Raw(id=uuid.uuid4().hex, kind="change", received_at=received_at, body=body)
        try:
            change = read_change(body, received_at)
        except UnreadableError as error:
            return await self._quarantine(raw, str(error))

        def keep(connection: Connection) -> bool:
            deliveries.keep(connection, raw)
            return deliveries.keep_change(connection, change, raw.id)

        return Taken(has_news=await self._write(keep))

    async def broken(self, kind: str, body: bytes, problem: str) -> Taken:
        """Store what came of a body that broke off or could not be unpacked."""
        raw = Raw(id=uuid.uuid4().hex, kind=kind, received_at=self._clock(), body=body)
        return await self._quarantine(raw, problem)

    async def _quarantine(self, raw: Raw, problem: str) -> Taken:
        def keep(connection: Connection) -> bool:
            deliveries.keep(connection, replace(raw, problem=problem))
            return False

        await self._write(keep)
        log.warning("post quarantined", kind=raw.kind, delivery=raw.id, problem=problem)
        return Taken(problem=problem)

    async def _write(self, job: Callable[[Connection], bool]) -> bool:
        limit = self._rules().pending_limit

        def bounded(connection: Connection) -> bool:
            if work.pending(connection) >= limit:
                raise OverloadedError(f"intake: {limit} investigations wait; try later")
            return job(connection)

        try:
            return await self._store.write(bounded)
        except StoreUnavailableError as error:
            raise OverloadedError(str(error)) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class _Post:
    """One delivery while it is taken in; `touched` are the incidents that it may have resolved."""

    connection: Connection
    delivery_id: str
    group_key: str
    at: float
    rules: Rules
    touched: dict[str, None] = field(default_factory=dict)


def take_delivery(connection: Connection, raw: Raw, delivery: Delivery, rules: Rules) -> bool:
    """Store a delivery and all that follows from it; tell whether anything was new."""
    deliveries.keep(connection, raw, delivery)
    post = _Post(
        connection=connection,
        delivery_id=raw.id,
        group_key=delivery.group_key,
        at=raw.received_at,
        rules=rules,
    )
    news = []
    # What ended comes first: a group may tell of one condition's end and another's beginning.
    for status in (AlertStatus.RESOLVED, AlertStatus.FIRING):
        news += _take_alerts(post, [each for each in delivery.alerts if each.status is status])
        for incident_id in post.touched:
            settle(connection, incident_id, rules.channels, post.at)
    return any(news)


def _take_alerts(post: _Post, alerts: Sequence[Alert]) -> list[bool]:
    """Take alerts of one status in; tell of each whether it was news."""
    unique = {alert.fingerprint: alert for alert in alerts}
    found = episodes.latest(post.connection, unique)
    return [_take_alert(post, alert, found.get(alert.fingerprint)) for alert in unique.values()]


def _take_alert(post: _Post, alert: Alert, found: episodes.Stored | None) -> bool:
    latest = found.episode if found else None
    seen_at = found.resolved_seen_at if found else None
    meaning = motion(alert, post.at, latest, seen_at, post.rules.policy)
    if meaning in {Motion.BEGINS, Motion.BEGINS_ENDED}:
        _begin(post, alert)
        return True
    if found is None or meaning is Motion.REPEATS:
        return False
    if meaning is Motion.CONTINUES:
        return _go_on(post, alert, found)
    episodes.resolve(post.connection, found.episode.id, alert.ends_at or post.at, post.at)
    _tell(post, found.episode.id, "resolved", alert)
    if found.incident_id:
        post.touched[found.incident_id] = None
    return True


def _go_on(post: _Post, alert: Alert, found: episodes.Stored) -> bool:
    """Take a firing alert into its open episode; only an earlier start is news."""
    before = found.episode.alert
    is_earlier = alert.starts_at < before.starts_at
    starts_at = min(alert.starts_at, before.starts_at)
    merged = alert.model_copy(update={"starts_at": starts_at})
    episodes.seen(post.connection, found.episode.id, merged, post.at)
    if is_earlier:
        _tell(post, found.episode.id, "started earlier", alert)
    return is_earlier


def _begin(post: _Post, alert: Alert) -> None:
    episode = Episode(
        id=uuid.uuid4().hex,
        alert=alert,
        first_seen_at=post.at,
        resolved_at=alert.ends_at,
        seen_late=alert.ends_at is not None,
    )
    incident_id = None if alert.name == WATCHDOG else _incident_for(post, alert)
    episodes.add(post.connection, episode, incident_id)
    _tell(post, episode.id, "firing" if alert.ends_at is None else "seen late", alert)
    if incident_id and alert.ends_at is not None:
        post.touched[incident_id] = None


def _incident_for(post: _Post, alert: Alert) -> str:
    policy = post.rules.policy
    found_by = keys(alert, post.group_key, policy.component_label)
    horizon_seconds = max(policy.join_within_seconds, policy.occurrence_within_seconds)
    known = incidents.known(post.connection, found_by[0], post.at - horizon_seconds)
    placement = place(alert, post.at, known, policy)
    joined = next((each for each in known if each.id == placement.joins), None)
    if joined is not None:
        _join(post, alert, joined, placement.reason)
    incident_id = joined.id if joined is not None else _open(post, alert, placement)
    incidents.add_keys(post.connection, incident_id, found_by)
    return incident_id


def _join(post: _Post, alert: Alert, known: Known, reason: str) -> None:
    rank = severity_rank(alert.severity)
    incidents.joined(post.connection, known.id, post.at, rank)
    entry = Entry(at=post.at, event="joined", text=f"{alert.name or 'an alert'} joined: {reason}")
    incidents.log(post.connection, known.id, entry)
    if known.state is not IncidentState.WAITING:
        return
    ranks, policy = [rank, known.severity_rank], post.rules.policy
    moved = turn(ranks, opened_at=known.opened_at, at=post.at, policy=policy)
    work.put_off(post.connection, known.id, moved)


def _open(post: _Post, alert: Alert, placement: Placement) -> str:
    incident_id, rank = uuid.uuid4().hex[:16], severity_rank(alert.severity)
    is_occurrence = placement.occurrence_of is not None
    opening = Opening(
        id=incident_id,
        at=post.at,
        state=IncidentState.CLOSED if is_occurrence else IncidentState.WAITING,
        reason=placement.reason,
        severity_rank=rank,
        occurrence_of=placement.occurrence_of,
    )
    incidents.open_new(post.connection, opening)
    if not is_occurrence:
        when = turn([rank], opened_at=post.at, at=post.at, policy=post.rules.policy)
        work.add(post.connection, incident_id, when, post.at)
    return incident_id


def _tell(post: _Post, episode_id: str, fact: str, alert: Alert) -> None:
    told = episodes.Fact(
        episode_id=episode_id, delivery_id=post.delivery_id, at=post.at, fact=fact, alert=alert
    )
    episodes.tell(post.connection, told)
