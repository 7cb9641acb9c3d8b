"""What the rounds found: the concerns that stand, and the reports of those that had news."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.patrol.concern import RoundReport, Standing
from responder.store.tables import patrol_concerns, patrol_rounds

_MOST_STANDING = 5_000


def standings(connection: Connection) -> Mapping[str, Standing]:
    """Give what stands, by its key."""
    query = sa.select(patrol_concerns).order_by(patrol_concerns.c.key).limit(_MOST_STANDING)
    return {row.key: Standing.model_validate(row.standing) for row in connection.execute(query)}


def keep_standings(connection: Connection, kept: Mapping[str, Standing]) -> None:
    """Put these in the place of all that stood."""
    connection.execute(sa.delete(patrol_concerns))
    rows = [
        {"key": key, "standing": each.model_dump(mode="json")}
        for key, each in sorted(kept.items())[:_MOST_STANDING]
    ]
    if rows:
        connection.execute(sa.insert(patrol_concerns), rows)


def add_round(connection: Connection, report: RoundReport) -> None:
    """Add a round's report."""
    row = {"at": report.at, "report": report.model_dump(mode="json")}
    connection.execute(sa.insert(patrol_rounds), row)


def rounds(
    connection: Connection, limit: int, before: float | None = None
) -> Sequence[RoundReport]:
    """Give the newest reports, those before a time where one is given, newest first."""
    query = sa.select(patrol_rounds.c.report).order_by(patrol_rounds.c.at.desc()).limit(limit)
    if before is not None:
        query = query.where(patrol_rounds.c.at < before)
    return [RoundReport.model_validate(each) for each in connection.execute(query).scalars()]


def forget_rounds(connection: Connection, before: float) -> int:
    """Delete the reports from before a time; tell how many there were."""
    old = sa.delete(patrol_rounds).where(patrol_rounds.c.at < before)
    return connection.execute(old).rowcount
