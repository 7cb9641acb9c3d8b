"""The outbox: its order and its keys."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from responder.incident import IncidentState
from responder.store import incidents, outbox
from responder.store.engine import Connection, open_engine
from responder.store.incidents import Opening
from responder.store.outbox import Notice
from responder.store.store import Store
from responder.store.tables import reports


async def test_messages_of_an_incident_keep_their_order(store: Store) -> None:
    """One that must wait holds back what follows about its incident, and nothing else."""

    def fill(database: Connection) -> None:
        for incident in ("a", "b"):
            opening = Opening(
                id=incident, at=0, state=IncidentState.WAITING, reason="", severity_rank=1
            )
            incidents.open_new(database, opening)
            row = {"id": f"r{incident}", "incident_id": incident, "created_at": 0.0}
            empty: dict[str, Any] = {"report": {}, "evidence": [], "suspects": [], "disproofs": []}
            database.execute(sa.insert(reports).values(row | empty))
        for incident, event in (("a", "reported"), ("a", "resolved"), ("b", "reported")):
            notice = Notice(incident_id=incident, report_id=f"r{incident}", event=event, at=0)
            outbox.add(database, ["c"], notice)
            outbox.add(database, ["c"], notice)

    def following(at: float) -> tuple[outbox.Parcel | None, float]:
        return outbox.next_parcel(database, "c", at)

    await store.write(fill)
    engine = open_engine(store.workflows_url.replace(".workflows", ""))
    with engine.begin() as database:
        first, _ = following(1)
        assert first is not None
        assert (first.incident_id, first.event) == ("a", "reported")
        outbox.put_off(database, first.id, 100, "later")
        second, _ = following(1)
        assert second is not None
        assert second.incident_id == "b"
        outbox.delivered(database, second.id, 1, "")
        assert following(1) == (None, 100)
        third, _ = following(100)
        assert third is not None
        outbox.delivered(database, third.id, 100, "")
        fourth, _ = following(100)
        assert fourth is not None
        assert (fourth.incident_id, fourth.event) == ("a", "resolved")
        outbox.rejected(database, fourth.id, 100, "no")
        assert following(1000) == (None, float("inf"))
        assert outbox.delivered_incidents(database, ["a", "b"]) == {"a", "b"}
    engine.dispose()


def test_a_key_is_the_same_for_ever() -> None:
    """It goes by report, channel and event alone; far ends have seen it."""
    assert outbox.idempotency_key("r", "c", "reported") == "64553c68c58c97e6e8e77a4ecb2ab6a0"
