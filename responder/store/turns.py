"""The journal of a model's turns: one row each, stored before the next turn begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from responder.store.engine import insert_new
from responder.store.tables import model_turns


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One entry of an incident's journal, JSON text; the opening has the number 0."""

    incident_id: str
    number: int
    at: float
    data: str


def add(connection: Connection, row: Row) -> bool:
    """Store an entry; tell whether its number was free."""
    values = {"number": row.number, "at": row.at, "data": row.data}
    return insert_new(connection, model_turns, {"incident_id": row.incident_id, **values})


def of_incident(connection: Connection, incident_id: str) -> Sequence[Row]:
    """Give an incident's entries in their order."""
    query = (
        sa.select(model_turns)
        .where(model_turns.c.incident_id == incident_id)
        .order_by(model_turns.c.number)
    )
    return [
        Row(incident_id=row.incident_id, number=row.number, at=row.at, data=row.data)
        for row in connection.execute(query)
    ]


def clear(connection: Connection, incident_id: str) -> None:
    """Delete an incident's entries."""
    connection.execute(sa.delete(model_turns).where(model_turns.c.incident_id == incident_id))
