"""Incidents: what they are, what they can be found by, and why they are as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.incident import Incident, IncidentState, Known
from responder.store import episodes
from responder.store.engine import insert_new
from responder.store.tables import episodes as episodes_table
from responder.store.tables import incident_keys, incident_log, incidents, stages

MOST_LINES = 500
"""How much of a history is given at the most: what flaps for weeks has a long one."""

_MOST_KNOWN = 50
_MOST_OLDEST_LINES = 50
_TARGET = "target:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of an incident's history."""

    at: float
    event: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What an incident is stored with when it begins."""

    id: str
    at: float
    state: IncidentState
    reason: str
    severity_rank: int
    occurrence_of: str | None = None
    recurs: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Whether any episode of an incident `fires`, and when the last one that is over ended."""

    flaps: int
    resolved_at: float | None
    fires: bool
    last_end_at: float | None


def known(connection: Connection, keys: Collection[str], since: float) -> Sequence[Known]:
    """Give what is found by any of *keys*: all that is open, and what is recent, but what merged.

    The newest first. The names and targets of what merged into an incident count as its own.
    """
    chosen = sa.select(incident_keys.c.incident_id).where(incident_keys.c.key.in_(keys))
    query = (
        sa.select(incidents)
        .where(
            incidents.c.id.in_(chosen),
            incidents.c.merged_into.is_(None),
            sa.or_(incidents.c.joined_at >= since, incidents.c.resolved_at.is_(None)),
        )
        .order_by(incidents.c.joined_at.desc())
        .limit(_MOST_KNOWN)
    )
    return known_of(connection, connection.execute(query).all())


def known_of(
    connection: Connection, rows: Sequence[sa.Row[*tuple[object, ...]]]
) -> Sequence[Known]:
    """Give what is known of the incidents in *rows* of their table."""
    ids = [row.id for row in rows]
    names, targets = _alertnames(connection, ids), _targets(connection, ids)
    return [
        Known(
            id=row.id,
            opened_at=row.opened_at,
            joined_at=row.joined_at,
            state=IncidentState(row.state),
            severity_rank=row.severity_rank,
            alertnames=names[row.id],
            is_resolved=row.resolved_at is not None,
            targets=targets[row.id],
            occurrence_of=row.occurrence_of,
            merged_into=row.merged_into,
            flaps=row.flaps,
            recurs=bool(row.recurs),  # a plain query gives a number on SQLite
        )
        for row in rows
    ]


def _alertnames(
    connection: Connection, incident_ids: Sequence[str]
) -> Mapping[str, frozenset[str]]:
    # Two questions rather than one with OR: each of them finds its rows by an index.
    own = sa.select(episodes_table.c.incident_id, episodes_table.c.alertname).where(
        episodes_table.c.incident_id.in_(incident_ids)
    )
    merged = (
        sa.select(incidents.c.merged_into, episodes_table.c.alertname)
        .join(episodes_table, episodes_table.c.incident_id == incidents.c.id)
        .where(incidents.c.merged_into.in_(incident_ids))
    )
    found: dict[str, set[str]] = {incident_id: set() for incident_id in incident_ids}
    for query in (own, merged):
        for incident_id, alertname in connection.execute(query.distinct()):
            found[incident_id].add(alertname)
    return {incident_id: frozenset(names) for incident_id, names in found.items()}


def _targets(connection: Connection, incident_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
    query = sa.select(incident_keys).where(
        incident_keys.c.incident_id.in_(incident_ids),
        incident_keys.c.key.startswith(_TARGET, autoescape=True),
    )
    found: dict[str, set[str]] = {incident_id: set() for incident_id in incident_ids}
    for row in connection.execute(query):
        found[row.incident_id].add(row.key.removeprefix(_TARGET))
    return {incident_id: frozenset(targets) for incident_id, targets in found.items()}


def open_new(connection: Connection, opening: Opening) -> None:
    """Store a new incident and why it was opened."""
    row = {
        "id": opening.id,
        "opened_at": opening.at,
        "joined_at": opening.at,
        "state": opening.state,
        "reason": opening.reason,
        "severity_rank": opening.severity_rank,
        "occurrence_of": opening.occurrence_of,
        "recurs": opening.recurs,
    }
    connection.execute(sa.insert(incidents), row)
    log(connection, opening.id, Entry(at=opening.at, event="opened", text=opening.reason))


def add_keys(connection: Connection, incident_id: str, keys: Iterable[str]) -> None:
    """Let an incident be found by *keys* as well."""
    for key in keys:
        insert_new(connection, incident_keys, {"key": key, "incident_id": incident_id})


def share_keys(connection: Connection, incident_id: str, other_id: str) -> None:
    """Let the incident *other_id* be found by all that *incident_id* is found by."""
    query = sa.select(incident_keys.c.key).where(incident_keys.c.incident_id == incident_id)
    add_keys(connection, other_id, list(connection.execute(query).scalars()))


def set_rank(connection: Connection, incident_id: str, severity_rank: int) -> None:
    """Set the severity of an incident that episodes have left."""
    change = {"severity_rank": severity_rank}
    connection.execute(sa.update(incidents).where(incidents.c.id == incident_id).values(change))


def joined(connection: Connection, incident_id: str, at: float, severity_rank: int) -> None:
    """Note that an episode joined; a worse severity becomes the incident's."""
    change = {
        "joined_at": at,
        "severity_rank": sa.case(
            (incidents.c.severity_rank > severity_rank, severity_rank),
            else_=incidents.c.severity_rank,
        ),
        "resolved_at": None,
    }
    connection.execute(sa.update(incidents).where(incidents.c.id == incident_id).values(change))


def flapped(connection: Connection, incident_id: str) -> None:
    """Count that an incident was over and fires again."""
    change = {"flaps": incidents.c.flaps + 1}
    connection.execute(sa.update(incidents).where(incidents.c.id == incident_id).values(change))


def merge(connection: Connection, incident_id: str, root_id: str) -> None:
    """Note that *incident_id*, and what merged into it before, is one with *root_id*."""
    own = sa.or_(incidents.c.id == incident_id, incidents.c.merged_into == incident_id)
    connection.execute(sa.update(incidents).where(own).values(merged_into=root_id))


def set_state(connection: Connection, incident_id: str, state: IncidentState, entry: Entry) -> None:
    """Move an incident on, with the reason."""
    change = {"state": state, "reason": entry.text}
    connection.execute(sa.update(incidents).where(incidents.c.id == incident_id).values(change))
    log(connection, incident_id, entry)


def resolve(connection: Connection, incident_id: str, at: float) -> None:
    """Note that every episode of an incident is over."""
    connection.execute(
        sa.update(incidents).where(incidents.c.id == incident_id).values(resolved_at=at)
    )


def standing(connection: Connection, incident_id: str) -> Standing | None:
    """Give how far an incident is from its end; its episodes, which may be many, are not read."""
    query = sa.select(incidents.c.flaps, incidents.c.resolved_at)
    row = connection.execute(query.where(incidents.c.id == incident_id)).one_or_none()
    if row is None:
        return None
    members = episodes_table.c.incident_id == incident_id
    fires = sa.select(sa.exists().where(members, episodes_table.c.resolved_at.is_(None)))
    last = sa.select(sa.func.max(episodes_table.c.resolved_at)).where(members)
    return Standing(
        flaps=row.flaps,
        resolved_at=row.resolved_at,
        fires=bool(connection.execute(fires).scalar_one()),
        last_end_at=connection.execute(last).scalar_one(),
    )


def was_late(connection: Connection, incident_id: str) -> bool:
    """Tell whether every episode of an incident was over before we heard of it."""
    members = episodes_table.c.incident_id == incident_id
    in_time = sa.exists().where(members, episodes_table.c.seen_late.is_(False))
    return not connection.execute(sa.select(in_time)).scalar_one()


def log(connection: Connection, incident_id: str, entry: Entry) -> None:
    """Add a line to an incident's history."""
    row = {"incident_id": incident_id, "at": entry.at, "event": entry.event, "text": entry.text}
    connection.execute(sa.insert(incident_log), row)


def history(connection: Connection, incident_id: str, *, most: int = MOST_LINES) -> Sequence[Entry]:
    """Give an incident's history, oldest first; of more than *most* lines the middle is left out.

    A line in its place says how many those are.
    """
    column = incident_log.c
    of_incident = sa.select(incident_log).where(column.incident_id == incident_id)
    newest = connection.execute(of_incident.order_by(column.id.desc()).limit(most + 1)).all()
    if len(newest) <= most:
        return [_entry(row) for row in reversed(newest)]
    oldest = connection.execute(of_incident.order_by(column.id).limit(_MOST_OLDEST_LINES)).all()
    kept = newest[: most - _MOST_OLDEST_LINES][::-1]
    count = sa.select(sa.func.count()).where(column.incident_id == incident_id)
    left_out = (connection.scalar(count) or 0) - len(oldest) - len(kept)
    gap = Entry(at=kept[0].at, event="left out", text=f"{left_out} lines are not shown here")
    return [*map(_entry, oldest), gap, *map(_entry, kept)]


def _entry(row: sa.Row[Any]) -> Entry:
    return Entry(at=row.at, event=row.event, text=row.text)


def get(
    connection: Connection, incident_id: str, *, episodes_limit: int | None = None
) -> Incident | None:
    """Give one incident with its episodes, or the first of them; None when there is none."""
    query = sa.select(incidents).where(incidents.c.id == incident_id)
    found = _with_episodes(connection, query, episodes_limit)
    return found[0] if found else None


def newest(connection: Connection, limit: int) -> Sequence[Incident]:
    """Give the newest incidents with their episodes, newest first."""
    query = sa.select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.id)
    return _with_episodes(connection, query.limit(limit))


def _with_episodes(
    connection: Connection,
    query: sa.Select[*tuple[object, ...]],
    episodes_limit: int | None = None,
) -> list[Incident]:
    rows = connection.execute(query).all()
    members = episodes.of_incidents(connection, [row.id for row in rows], limit=episodes_limit)
    return [
        Incident(
            id=row.id,
            opened_at=row.opened_at,
            state=IncidentState(row.state),
            reason=row.reason,
            episodes=members[row.id],
            resolved_at=row.resolved_at,
            occurrence_of=row.occurrence_of,
            merged_into=row.merged_into,
            flaps=row.flaps,
        )
        for row in rows
    ]


def finish_stage(
    connection: Connection, incident_id: str, stage: str, at: float, seconds: float
) -> bool:
    """Note that a stage of the investigation is done; tell whether that is news."""
    row = {"incident_id": incident_id, "stage": stage, "finished_at": at, "seconds": seconds}
    return insert_new(connection, stages, row)


def stages_done(
    connection: Connection, incident_ids: Sequence[str]
) -> Mapping[str, tuple[str, ...]]:
    """Give the stages that are done of each incident's investigation, in their order."""
    query = (
        sa.select(stages)
        .where(stages.c.incident_id.in_(incident_ids))
        .order_by(stages.c.finished_at)
    )
    found: dict[str, list[str]] = {incident_id: [] for incident_id in incident_ids}
    for row in connection.execute(query):
        found[row.incident_id].append(row.stage)
    return {incident_id: tuple(each) for incident_id, each in found.items()}
