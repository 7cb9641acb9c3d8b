"""What is stored of an incident beside its episodes."""

from __future__ import annotations

from responder.incident import CRITICAL, IncidentState
from responder.store import incidents
from responder.store.engine import Connection
from responder.store.incidents import Entry, Opening, open_new
from responder.store.store import Store


def _flapping(connection: Connection, lines: int) -> None:
    opening = Opening(
        id="one", at=0.0, state=IncidentState.WAITING, reason="", severity_rank=CRITICAL
    )
    open_new(connection, opening)
    for number in range(lines - len(incidents.history(connection, "one"))):
        incidents.log(connection, "one", Entry(at=number + 1.0, event="flaps", text=str(number)))


async def test_a_long_history_is_given_without_its_middle(store: Store) -> None:
    """Its beginning and its end are there, and how many lines between them are not."""
    await store.write(lambda database: _flapping(database, 90))
    whole = await store.read(lambda database: incidents.history(database, "one", most=90))
    assert len(whole) == 90
    found = await store.read(lambda database: incidents.history(database, "one", most=60))
    assert [*found[:50], *found[51:]] == [*whole[:50], *whole[80:]]
    assert (found[50].event, found[50].text) == ("left out", "30 lines are not shown here")
