"""Reports and what they stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from pydantic import ValidationError
from sqlalchemy import Connection

from responder.investigation.report import Report
from responder.store.engine import insert_new
from responder.store.tables import frames, reports

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dossier:
    """A report with its evidence, suspects and disproofs, these as JSON values."""

    report: Report
    evidence: Sequence[Mapping[str, Any]]
    suspects: Sequence[Mapping[str, Any]]
    disproofs: Sequence[Mapping[str, Any]]


def add(connection: Connection, dossier: Dossier) -> bool:
    """Store an incident's report unless it has one; tell whether it was stored."""
    row = {
        "id": dossier.report.id,
        "incident_id": dossier.report.incident,
        "created_at": dossier.report.created_at,
        "report": dossier.report.model_dump(mode="json"),
        "evidence": list(dossier.evidence),
        "suspects": list(dossier.suspects),
        "disproofs": list(dossier.disproofs),
    }
    return insert_new(connection, reports, row)


def id_of(connection: Connection, incident_id: str) -> str | None:
    """Give the id of an incident's report, None when it has none; the report is not read."""
    query = sa.select(reports.c.id).where(reports.c.incident_id == incident_id)
    return connection.execute(query).scalar_one_or_none()


def of_incident(connection: Connection, incident_id: str) -> Dossier | None:
    """Give an incident's report and what it stands on, None when it has none.

    Raises ValidationError where another version wrote it so that this one cannot read it.
    """
    query = sa.select(reports).where(reports.c.incident_id == incident_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Dossier(
        report=Report.model_validate(row.report),
        evidence=row.evidence,
        suspects=row.suspects,
        disproofs=row.disproofs,
    )


def of_incidents(connection: Connection, incident_ids: Sequence[str]) -> Mapping[str, Report]:
    """Give the report of each incident that has one."""
    query = sa.select(reports.c.incident_id, reports.c.report).where(
        reports.c.incident_id.in_(incident_ids)
    )
    return {row.incident_id: Report.model_validate(row.report) for row in connection.execute(query)}


def since(connection: Connection, at: float, limit: int) -> Sequence[Report]:
    """Give the newest reports made after *at*, newest first, without those that none can read."""
    query = (
        sa.select(reports.c.id, reports.c.report)
        .where(reports.c.created_at >= at)
        .order_by(reports.c.created_at.desc())
        .limit(limit)
    )
    found = []
    for row in connection.execute(query):
        try:
            found.append(Report.model_validate(row.report))
        except ValidationError as error:  # As when another version wrote it.
            log.warning("stored report cannot be read", report=row.id, errors=error.error_count())
    return found


def keep_frame(connection: Connection, investigation_id: str, packed: bytes) -> None:
    """Store the series of an investigation; those of an earlier attempt give way."""
    connection.execute(sa.delete(frames).where(frames.c.investigation_id == investigation_id))
    row = {"investigation_id": investigation_id, "packed": packed}
    connection.execute(sa.insert(frames), row)


def frame(connection: Connection, investigation_id: str) -> bytes | None:
    """Give the series of an investigation, None when it has none."""
    query = sa.select(frames.c.packed).where(frames.c.investigation_id == investigation_id)
    return connection.execute(query).scalar_one_or_none()
