"""What operators said of reports; a later verdict is the one that counts, earlier ones stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.store.tables import reports, verdicts
from responder.verdict import (
    MOST_OF_AN_INCIDENT,
    NoReportError,
    Ruling,
    Said,
    Verdict,
    VerdictError,
)

Judged = Mapping[tuple[str, str, str], int]
"""How many reports were judged, by analyst, confidence and verdict."""

_COLUMNS = tuple(Verdict.__dataclass_fields__)
_LONGEST_ANALYST = 100


def add(connection: Connection, incident_id: str, said: Said, now: float) -> Verdict:
    """Store what was said of an incident's report; raises NoReportError and VerdictError."""
    query = sa.select(reports.c.id, reports.c.report).where(reports.c.incident_id == incident_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NoReportError("incident: there is no such incident with a report; look for its id")
    counted = sa.select(sa.func.count()).where(verdicts.c.incident_id == incident_id)
    if connection.execute(counted).scalar_one() >= MOST_OF_AN_INCIDENT:
        problem = f"it has {MOST_OF_AN_INCIDENT} verdicts; no more are taken"
        raise VerdictError(f"incident: {problem}")
    verdict = _verdict(incident_id, row.id, row.report, said, now)
    connection.execute(sa.insert(verdicts), {name: getattr(verdict, name) for name in _COLUMNS})
    return verdict


def _verdict(
    incident_id: str, report_id: str, report: Mapping[str, object], said: Said, now: float
) -> Verdict:
    causes = report.get("causes")
    first = causes[0] if isinstance(causes, list) and causes else {}
    is_right = said.ruling is Ruling.CONFIRM
    return Verdict(
        incident_id=incident_id,
        report_id=report_id,
        ruling=said.ruling,
        component=str(first.get("component", "")) if is_right else said.component,
        kind=str(first.get("kind", "")) if is_right else said.kind,
        note=said.note,
        by=said.by,
        at=now,
        analyst=str(report.get("analyst", ""))[:_LONGEST_ANALYST],
        confidence=str(first.get("confidence", "")),
    )


def of_incident(connection: Connection, incident_id: str) -> Sequence[Verdict]:
    """Give an incident's verdicts, the last one first."""
    query = sa.select(*(verdicts.c[name] for name in _COLUMNS))
    query = query.where(verdicts.c.incident_id == incident_id).order_by(verdicts.c.id.desc())
    return [_read(row) for row in connection.execute(query)]


def latest(connection: Connection, incident_ids: Iterable[str]) -> Mapping[str, Verdict]:
    """Give the last verdict of each incident that has one."""
    query = sa.select(*(verdicts.c[name] for name in _COLUMNS))
    query = query.where(verdicts.c.id.in_(_last(sorted(set(incident_ids)))))
    return {row.incident_id: _read(row) for row in connection.execute(query)}


def judged(connection: Connection) -> Judged:
    """Count the reports that were judged, each by its last verdict."""
    columns = (verdicts.c.analyst, verdicts.c.confidence, verdicts.c.ruling)
    query = (
        sa.select(*columns, sa.func.count()).where(verdicts.c.id.in_(_last())).group_by(*columns)
    )
    return {
        (analyst, confidence, ruling): count
        for analyst, confidence, ruling, count in connection.execute(query)
    }


def _last(incident_ids: Sequence[str] | None = None) -> sa.Select[tuple[int]]:
    query = sa.select(sa.func.max(verdicts.c.id)).group_by(verdicts.c.incident_id)
    return query if incident_ids is None else query.where(verdicts.c.incident_id.in_(incident_ids))


def _read(row: sa.Row[tuple[object, ...]]) -> Verdict:
    fields = dict(row._mapping)  # noqa: SLF001 - its name
    return Verdict(**{**fields, "ruling": Ruling(str(fields["ruling"]))})
