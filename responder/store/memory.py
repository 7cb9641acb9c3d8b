"""Incidents of the same kind that were reported before."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
import structlog
from pydantic import ValidationError
from sqlalchemy import Connection

from responder.incident import Incident
from responder.investigation.report import Report
from responder.past import Memory, Past
from responder.store import verdicts
from responder.store.store import Store
from responder.store.tables import episodes, incidents, reports
from responder.verdict import Verdict, told

log = structlog.get_logger(__name__)

MOST_READ = 60
MOST_TOLD = 5
_LIKENESS = (
    "the same alert on the same target",
    "the same alert",
    "its cause was in the same place",
)


def remembering(store: Store) -> Memory:
    """Give the memory that is in *store*."""

    async def remember(incident: Incident, components: frozenset[str]) -> Sequence[Past]:
        return await store.read(lambda database: alike(database, incident, components))

    return remember


def alike(
    connection: Connection, incident: Incident, components: frozenset[str]
) -> tuple[Past, ...]:
    """Give what earlier reports said of incidents like this one, the nearest and newest first.

    Of equally near ones those come first of which an operator named or confirmed the cause.
    Alike are those with one of its alerts, on its target before on another, and then those whose
    first cause was in one of *components*. Bounded: of each way the newest are looked at.
    """
    names = sorted({each.alert.name for each in incident.episodes})
    own = {(each.alert.name, each.alert.target) for each in incident.episodes}
    query = sa.select(episodes.c.incident_id, episodes.c.alertname, episodes.c.alert)
    query = query.join(reports, reports.c.incident_id == episodes.c.incident_id)
    query = query.where(episodes.c.alertname.in_(names), *_earlier(incident))
    query = query.order_by(reports.c.created_at.desc(), episodes.c.id).limit(MOST_READ)
    ranks: dict[str, int] = {}
    for row in connection.execute(query):
        labels = row.alert.get("labels", {})
        rank = 0 if (row.alertname, labels.get("target") or None) in own else 1
        ranks[row.incident_id] = min(rank, ranks.get(row.incident_id, rank))
    found = [*_read(connection, incident, ranks, components)]
    judged = verdicts.latest(connection, (each.incident for each in found))
    found = [_judged(each, judged.get(each.incident)) for each in found]
    found.sort(key=_nearness)
    return tuple(found[:MOST_TOLD])


def _nearness(past: Past) -> tuple[int, bool, float, str]:
    return _LIKENESS.index(past.likeness), not past.true_kind, -past.opened_at, past.incident


def _judged(past: Past, verdict: Verdict | None) -> Past:
    if verdict is None:
        return past
    return dataclasses.replace(
        past,
        verdict=told(verdict) + (f" ({verdict.note})" if verdict.note else ""),
        true_component=verdict.component,
        true_kind=verdict.kind,
    )


def _earlier(incident: Incident) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        reports.c.incident_id != incident.id,
        reports.c.created_at <= max(each.first_seen_at for each in incident.episodes),
    )


def _read(
    connection: Connection, incident: Incident, ranks: dict[str, int], components: frozenset[str]
) -> Iterable[Past]:
    newest = sa.select(reports.c.incident_id).where(*_earlier(incident))
    newest = newest.order_by(reports.c.created_at.desc()).limit(MOST_READ)
    wanted = {*ranks, *connection.execute(newest).scalars()}
    query = sa.select(reports.c.incident_id, reports.c.report, incidents.c.opened_at)
    query = query.join(incidents, incidents.c.id == reports.c.incident_id)
    query = query.where(reports.c.incident_id.in_(sorted(wanted)))
    for row in connection.execute(query):
        try:
            report = Report.model_validate(row.report)
        except ValidationError as error:  # As when another version wrote it.
            log.warning(
                "past report not read", incident=row.incident_id, errors=error.error_count()
            )
            continue
        cause = report.causes[0].component if report.causes else ""
        rank = ranks.get(row.incident_id, 2 if cause in components else None)
        if rank is not None:
            yield _past(report, row.opened_at, _LIKENESS[rank])


def _past(report: Report, opened_at: float, likeness: str) -> Past:
    first = report.causes[0] if report.causes else None
    return Past(
        incident=report.incident,
        opened_at=opened_at,
        likeness=likeness,
        headline=report.headline,
        component=first.component if first else "",
        kind=first.kind.value if first else "",
        confidence=first.confidence.value if first else "",
        decision=report.decision.kind.value,
    )
