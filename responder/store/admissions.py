"""What a batch of posts asks of the store before it is decided upon, and all that follows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, Row

from responder.alert import Alert, Delivery, Episode
from responder.incident import IncidentState, Known, Turn
from responder.store import bulk
from responder.store.bulk import Bulk, Tuple
from responder.store.deliveries import Raw
from responder.store.episodes import packed
from responder.store.incidents import Opening
from responder.store.work import WAITING

MOST_KNOWN = 50
"""How many incidents of one key are looked at: the newest decide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Acquaintance:
    """The incidents that keys lead to: what is known of each, and which each key finds."""

    incidents: Mapping[str, Known]
    by_key: Mapping[str, list[str]]


def acquaintance(connection: Connection, keys: Collection[str], since: float) -> Acquaintance:
    """Give what is found by *keys*, the newest first: what is open or recent, but what merged."""
    by_key: dict[str, list[str]] = {key: [] for key in keys}
    chosen: dict[str, Row[Any]] = {}
    for row in bulk.rows_among(connection, _FOUND, keys, since):
        by_key[row.found_by].append(row.id)
        chosen[row.id] = row
    return Acquaintance(incidents=_known(connection, chosen), by_key=by_key)


# Not `merged_into IS NULL`, for which SQLite would go through all incidents that there are.
_FOUND = (
    "SELECT i.*, f.found_by FROM (SELECT k.key AS found_by, j.id, row_number() OVER"  # noqa: S608 - a number of our own
    " (PARTITION BY k.key ORDER BY j.joined_at DESC, j.opened_at DESC, j.id DESC) AS place"
    " FROM incident_keys k JOIN incidents j ON j.id = k.incident_id WHERE k.key {many}"
    " AND (j.joined_at >= {since} OR j.resolved_at IS NULL)"
    " AND coalesce(j.merged_into, '') = '') f JOIN incidents i ON i.id = f.id"
    f" WHERE f.place <= {MOST_KNOWN} ORDER BY f.place"
)


def known_again(connection: Connection, incident_ids: Collection[str]) -> Mapping[str, Known]:
    """Give what is known now of incidents that something has happened to; not of what merged."""
    query = "SELECT * FROM incidents WHERE id {many} AND merged_into IS NULL"
    rows = bulk.rows_among(connection, query, incident_ids)
    return _known(connection, {row.id: row for row in rows})


def _known(connection: Connection, rows: Mapping[str, Row[Any]]) -> Mapping[str, Known]:
    """Do what `incidents.known_of` does, in one question."""
    names: dict[str, set[str]] = {incident_id: set() for incident_id in rows}
    targets: dict[str, set[str]] = {incident_id: set() for incident_id in rows}
    for row in bulk.rows_among(connection, _PARTICULARS, rows.keys()):
        (targets if row.is_target else names)[row.incident_id].add(row.text)
    return {
        row.id: Known(
            id=row.id,
            opened_at=row.opened_at,
            joined_at=row.joined_at,
            state=IncidentState(row.state),
            severity_rank=row.severity_rank,
            alertnames=frozenset(names[row.id]),
            is_resolved=row.resolved_at is not None,
            targets=frozenset(targets[row.id]),
            occurrence_of=row.occurrence_of,
            merged_into=row.merged_into,
            flaps=row.flaps,
            recurs=bool(row.recurs),
        )
        for row in rows.values()
    }


# The names and targets of what merged into an incident count as its own.
_PARTICULARS = (
    "SELECT DISTINCT incident_id, 0 AS is_target, alertname AS text FROM episodes"
    " WHERE incident_id {many}"
    " UNION ALL SELECT i.merged_into, 0, e.alertname FROM incidents i"
    " JOIN episodes e ON e.incident_id = i.id WHERE i.merged_into {many}"
    " UNION ALL SELECT incident_id, 1, substr(key, 8) FROM incident_keys"
    " WHERE incident_id {many} AND substr(key, 1, 7) = 'target:'"
)


def open_episodes(connection: Connection, incident_ids: Collection[str]) -> Mapping[str, int]:
    """Count the episodes of each incident that are not over."""
    rows = bulk.rows_among(
        connection,
        "SELECT incident_id, count(*) AS many FROM episodes WHERE incident_id {many}"
        " AND resolved_at IS NULL GROUP BY incident_id",
        incident_ids,
    )
    return dict.fromkeys(incident_ids, 0) | {row.incident_id: row.many for row in rows}


@dataclass(kw_only=True, slots=True)
class Additions:
    """What is to be written: rows to add in their order, and how what is there changes."""

    deliveries: list[Tuple] = field(default_factory=list)
    requeued: list[Tuple] = field(default_factory=list)
    incidents: list[Tuple] = field(default_factory=list)
    keys: list[Tuple] = field(default_factory=list)
    log: list[Tuple] = field(default_factory=list)
    episodes: list[Tuple] = field(default_factory=list)
    facts: list[Tuple] = field(default_factory=list)
    work: list[Tuple] = field(default_factory=list)
    joined: dict[str, Tuple] = field(default_factory=dict)
    turns: dict[str, Tuple] = field(default_factory=dict)
    seen: dict[str, Tuple] = field(default_factory=dict)
    ended: list[Tuple] = field(default_factory=list)

    def keep(self, raw: Raw, delivery: Delivery) -> None:
        """Add a post as it came."""
        envelope = (delivery.group_key, delivery.receiver, delivery.external_url)
        row = (raw.id, raw.kind, raw.received_at, raw.body, raw.problem)
        self.deliveries.append((*row, *envelope, delivery.truncated))

    def requeue(self, raw: Raw, delivery: Delivery, at: float) -> None:
        """Note that a post that was there already could be read by now."""
        envelope = (delivery.group_key, delivery.receiver, delivery.external_url)
        self.requeued.append((at, *envelope, delivery.truncated, raw.id))

    def open(self, opening: Opening, turn: Turn | None) -> None:
        """Add an incident and why it was opened; with a turn, the work on it."""
        at = opening.at
        identity = (opening.id, at, at, opening.state.value, opening.reason)
        origin = (opening.severity_rank, opening.occurrence_of, opening.recurs)
        self.incidents.append((*identity, *origin))
        self.tell(opening.id, at, "opened", opening.reason)
        if turn is not None:
            schedule = (turn.priority, turn.due_at, at, WAITING, 0, at, "")
            self.work.append((f"{opening.id}-1", opening.id, *schedule))

    def tell(self, incident_id: str, at: float, event: str, text: str) -> None:
        """Add a line to an incident's history."""
        self.log.append((incident_id, at, event, text))

    def join(self, known: Known) -> None:
        """Note that an episode joined the incident, which is now as *known* says."""
        self.joined[known.id] = (known.joined_at, known.severity_rank, known.id)

    def put_off(self, incident_id: str, turn: Turn, at: float) -> None:
        """Give work that has not begun another turn."""
        self.turns[incident_id] = (turn.priority, turn.due_at, at, incident_id)

    def begin(
        self,
        episode_id: str,
        incident_id: str | None,
        alert: Alert,
        seen_at: float,
        *,
        seen_late: bool,
    ) -> None:
        """Add the episode that an alert begins, which may be over already."""
        ends_at = alert.ends_at
        times = (seen_at, seen_at, alert.starts_at, ends_at, None if ends_at is None else seen_at)
        identity = (episode_id, incident_id, alert.fingerprint, alert.name)
        self.episodes.append((*identity, *times, seen_late, 0, packed(alert)))

    def see(self, episode: Episode, at: float, *, is_changed: bool) -> None:
        """Note that an episode was said again to fire; its record only where it is another one."""
        _, _, resent, before, _ = self.seen.get(episode.id, (0, 0, 0, None, 0))
        record = packed(episode.alert) if is_changed else before
        self.seen[episode.id] = (at, episode.alert.starts_at, resent + 1, record, episode.id)

    def end(self, episode_id: str, ended_at: float, at: float) -> None:
        """Note that an episode is over."""
        self.ended.append((at, ended_at, at, episode_id))

    def write(self, connection: Connection) -> None:
        """Write it all."""
        on_json = connection.dialect.name == "postgresql"
        _DELIVERY.run(connection, self.deliveries)
        _REQUEUE.run(connection, self.requeued)
        _INCIDENT.run(connection, self.incidents)
        _KEY.run(connection, self.keys)
        _LOG.run(connection, self.log)
        _EPISODE.run(
            connection, [_nested(row) for row in self.episodes] if on_json else self.episodes
        )
        _FACT.run(connection, self.facts)
        _WORK.run(connection, self.work)
        _JOIN.run(connection, list(self.joined.values()))
        _TURN.run(connection, list(self.turns.values()))
        _SEEN.run(connection, list(self.seen.values()))
        _END.run(connection, self.ended)


def _nested(row: Tuple) -> Tuple:
    return (*row[:-1], orjson.Fragment(row[-1]))


_DELIVERY_COLUMNS = {
    "id": "text",
    "kind": "text",
    "received_at": "float8",
    "body": "bytea",
    "problem": "text",
    "group_key": "text",
    "receiver": "text",
    "external_url": "text",
    "truncated": "int4",
}
_DELIVERY = bulk.inserting("deliveries", _DELIVERY_COLUMNS)
_REQUEUE = bulk.changing(
    "deliveries",
    {
        "requeued_at": "float8",
        "group_key": "text",
        "receiver": "text",
        "external_url": "text",
        "truncated": "int4",
    },
)
_INCIDENT = bulk.inserting(
    "incidents",
    {
        "id": "text",
        "opened_at": "float8",
        "joined_at": "float8",
        "state": "text",
        "reason": "text",
        "severity_rank": "int4",
        "occurrence_of": "text",
        "recurs": "bool",
    },
)
_KEY = bulk.inserting("incident_keys", {"key": "text", "incident_id": "text"}, or_ignore=True)
_LOG = bulk.inserting(
    "incident_log", {"incident_id": "text", "at": "float8", "event": "text", "text": "text"}
)
_EPISODE = bulk.inserting(
    "episodes",
    {
        "id": "text",
        "incident_id": "text",
        "fingerprint": "text",
        "alertname": "text",
        "first_seen_at": "float8",
        "last_seen_at": "float8",
        "starts_at": "float8",
        "resolved_at": "float8",
        "resolved_seen_at": "float8",
        "seen_late": "bool",
        "resent": "int4",
        "alert": "json",
    },
)
_FACT = bulk.inserting(
    "episode_facts",
    {
        "episode_id": "text",
        "delivery_id": "text",
        "at": "float8",
        "fact": "text",
        "starts_at": "float8",
        "ends_at": "float8",
    },
)
_WORK = bulk.inserting(
    "work",
    {
        "id": "text",
        "incident_id": "text",
        "priority": "int4",
        "due_at": "float8",
        "due_set_at": "float8",
        "state": "text",
        "attempts": "int4",
        "created_at": "float8",
        "problem": "text",
    },
)
_JOIN = bulk.changing(
    "incidents", {"joined_at": "float8", "severity_rank": "int4"}, fixed="resolved_at = NULL"
)
_TURN = bulk.changing(
    "work",
    {"priority": "int4", "due_at": "float8", "due_set_at": "float8"},
    by="incident_id",
    where=f"state = '{WAITING}'",
)
_SEEN = Bulk(
    columns={"at": "float8", "starts_at": "float8", "more": "int4", "alert": "text", "id": "text"},
    sqlite="UPDATE episodes SET last_seen_at = ?, starts_at = ?, resent = resent + ?,"
    " alert = coalesce(?, alert) WHERE id = ?",
    postgresql="UPDATE episodes AS e SET last_seen_at = r.at, starts_at = r.starts_at,"
    " resent = e.resent + r.more, alert = coalesce(r.alert::json, e.alert)"
    " FROM {rows} WHERE e.id = r.id",
)
_END = bulk.changing(
    "episodes", {"last_seen_at": "float8", "resolved_at": "float8", "resolved_seen_at": "float8"}
)
