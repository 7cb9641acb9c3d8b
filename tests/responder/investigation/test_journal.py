"""The journal of a model's turns in the store, and an incident played again from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.mistral.server import Persona
from responder.investigation.report import Spend
from responder.investigation.turns import Answered, Ended, Opening
from responder.journal import JournalError, StoredJournal, read
from responder.replaying.replay import ReplayError, played
from responder.store import turns
from responder.store.engine import url_of
from responder.store.reports import Dossier
from responder.store.store import Store
from tests.responder.investigation.briefs import brief
from tests.responder.investigation.desk import Seat
from tests.responder.investigation.laid import Prometheus, framed, means, row
from tests.responder.investigation.staging import staged

INCIDENT = "inc1"
ENDED = Ended(problem="no report within 20 s")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Give a new store of each kind."""
    with Store(url_of(database_url, Path())) as made:
        yield made


@pytest.fixture
def journal(store: Store) -> StoredJournal:
    """Give the journal in it."""
    return StoredJournal(store, lambda: 5.0)


def opening(digest: str = "a") -> Opening:
    """Give an opening."""
    return Opening(
        model="m",
        fallback_model=None,
        turns=6,
        offered=(),
        brief={},
        evidence=(),
        digest=digest,
    )


async def test_entries_come_back_in_their_order(journal: StoredJournal) -> None:
    """What a model wrote is kept to the letter, whatever it is."""
    odd = {"name": "x", "arguments": '{"a": "\x00 \ud800 \u202e"}'}
    answered = Answered.model_validate(
        {"model": "m", "calls": [odd], "finish_reason": "stop", "spend": Spend(calls=1)}
    )
    assert list(await journal.begin(INCIDENT, opening())) == []
    await journal.append(INCIDENT, 1, answered)
    await journal.append(INCIDENT, 2, ENDED)
    assert list(await journal.begin(INCIDENT, opening())) == [answered, ENDED]
    assert list(await journal.begin("another", opening())) == []


async def test_a_turn_is_written_once(journal: StoredJournal) -> None:
    """Who comes second is not the one who goes on."""
    await journal.begin(INCIDENT, opening())
    await journal.append(INCIDENT, 1, ENDED)
    with pytest.raises(JournalError, match="turn 1 is written already"):
        await journal.append(INCIDENT, 1, ENDED)


async def test_that_of_another_brief_gives_way(journal: StoredJournal) -> None:
    """The investigation was begun anew, on other evidence."""
    await journal.begin(INCIDENT, opening())
    await journal.append(INCIDENT, 1, ENDED)
    assert list(await journal.begin(INCIDENT, opening("b"))) == []
    await journal.append(INCIDENT, 1, ENDED)


async def test_what_cannot_be_read_gives_way(journal: StoredJournal, store: Store) -> None:
    """As another version may have written it."""
    await journal.begin(INCIDENT, opening())
    odd = turns.Row(incident_id=INCIDENT, number=1, at=1.0, data=json.dumps({"kind": "dance"}))
    await store.write(lambda database: turns.add(database, odd))
    assert list(await journal.begin(INCIDENT, opening())) == []
    assert len(await store.read(lambda database: turns.of_incident(database, INCIDENT))) == 1


async def written(desk: Any, store: Store) -> tuple[Dossier, Any]:
    """Investigate with a model, and give what is stored of it."""
    made, about = staged(desk.analyst), framed(brief())
    draft = await made.analyse(about)
    report = made.conclude(about, draft, (), report_id="inc1-r1", started_at=100.0, now=130.0)
    dossier = Dossier(
        report=report,
        evidence=[each.model_dump(mode="json") for each in (*about.evidence, *draft.evidence)],
        suspects=[each.model_dump(mode="json") for each in about.suspects],
        disproofs=[],
    )
    rows = await store.read(lambda database: turns.of_incident(database, INCIDENT))
    return dossier, rows


@pytest.mark.parametrize(
    "persona",
    ["honest", "curious", "restless", "intruder", "inventive", "obedient", "malformed", "stubborn"],
)
async def test_an_incident_is_played_again(
    seat: Seat, store: Store, journal: StoredJournal, persona: str
) -> None:
    """Without a model and without a source the same report comes out, whatever the model did."""
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 2.0)])), journal=journal)
    desk.stand_in.persona = Persona(name=persona)
    dossier, rows = await written(desk, store)
    found = played(*read(rows), dossier)
    assert found.differs == ()
    assert found.report == dossier.report


async def test_a_failed_analysis_is_played_again(
    seat: Seat, store: Store, journal: StoredJournal
) -> None:
    """With its note, its price, and what was looked at before it failed."""
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 2.0)])), journal=journal, deadline="1s")
    desk.stand_in.persona = Persona(name="curious", times=1, then="hang")
    dossier, rows = await written(desk, store)
    assert dossier.report.partial
    assert "written by code alone" in dossier.report.notes[0]
    assert len(dossier.evidence) > 2
    assert played(*read(rows), dossier).differs == ()


async def test_what_is_not_whole_is_not_played(
    seat: Seat, store: Store, journal: StoredJournal
) -> None:
    """A journal without its end, or without its evidence, says so; another report is told apart."""
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 2.0)])), journal=journal)
    desk.stand_in.persona = Persona(name="curious")
    dossier, rows = await written(desk, store)
    start, entries = read(rows)
    with pytest.raises(ReplayError, match="ends where the model is to look"):
        played(start, entries[:1], dossier)
    less = Dossier(report=dossier.report, evidence=[], suspects=[], disproofs=[])
    with pytest.raises(ReplayError, match="evidence E1 is not stored"):
        played(start, entries, less)
    other = dossier.report.model_copy(update={"headline": "Something else."})
    changed = Dossier(report=other, evidence=dossier.evidence, suspects=[], disproofs=[])
    assert played(start, entries, changed).differs == ("headline",)
    with pytest.raises(ValueError, match="cannot be read"):
        read([])
