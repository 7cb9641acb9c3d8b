"""The journal of a model's turns in the store, and what `replay` reads of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pydantic

from responder.investigation.turns import Entry, Opening, entry
from responder.store import turns
from responder.store.engine import Connection, StoreError
from responder.store.store import Store
from responder.store.turns import Row


class JournalError(StoreError):
    """The journal holds something else than was about to be written."""


class StoredJournal:
    """A row for each turn."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        """Keep them."""
        self._store = store
        self._clock = clock

    async def begin(self, incident_id: str, opening: Opening) -> Sequence[Entry]:
        """Open the journal; give what is in it where it is of the same brief.

        That of another brief, or of another version that cannot be read, gives way.
        """
        first = self._row(incident_id, 0, opening)

        def begin(connection: Connection) -> Sequence[Row]:
            rows = turns.of_incident(connection, incident_id)
            if rows and _digest(rows[0]) == opening.digest:
                return rows[1:]
            turns.clear(connection, incident_id)
            turns.add(connection, first)
            return ()

        try:
            return _entries(await self._store.write(begin))
        except ValueError:
            await self._store.write(lambda database: _restart(database, first))
            return ()

    async def append(self, incident_id: str, number: int, entry: Entry) -> None:
        """Write an entry down; raises JournalError where its number is taken."""
        row = self._row(incident_id, number, entry)
        if not await self._store.write(lambda database: turns.add(database, row)):
            raise JournalError(f"journal of {incident_id}: turn {number} is written already")

    def _row(self, incident_id: str, number: int, what: Entry | Opening) -> Row:
        # ASCII, so that whatever a model wrote can be stored anywhere.
        data = json.dumps(what.model_dump(mode="json"), ensure_ascii=True)
        return Row(incident_id=incident_id, number=number, at=self._clock(), data=data)


def _restart(connection: Connection, first: Row) -> None:
    turns.clear(connection, first.incident_id)
    turns.add(connection, first)


def _digest(row: Row) -> str:
    try:
        return str(json.loads(row.data).get("digest", ""))
    except (ValueError, AttributeError):
        return ""


def _entries(rows: Sequence[Row]) -> list[Entry]:
    return [entry(json.loads(row.data)) for row in rows]


def read(rows: Sequence[Row]) -> tuple[Opening, Sequence[Entry]]:
    """Read a whole journal; raises ValueError where it cannot be."""
    try:
        return Opening.model_validate_json(rows[0].data), _entries(rows[1:])
    except (IndexError, pydantic.ValidationError) as error:
        raise ValueError(f"the journal cannot be read ({type(error).__name__})") from None
