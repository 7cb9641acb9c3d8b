"""The turns of a model with tools, through the real SDK, against the stand-in over sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from lab.mistral.server import Persona
from responder.ceilings import Ceiling, Ceilings
from responder.investigation.analyst import AnalystError
from responder.investigation.evidence import Status
from responder.investigation.report import Standing
from responder.investigation.stages import by_code
from responder.investigation.turns import Answered, Ended, Entry, Looked, Opening, Switched, Tried
from responder.spend import Price
from tests.responder.investigation.briefs import brief
from tests.responder.investigation.desk import MODEL, Seat, report
from tests.responder.investigation.laid import Exporter, Prometheus, framed, means, row


@dataclass(kw_only=True)
class Kept:
    """A journal in memory; it fails, or is killed, where it is told to."""

    entries: list[Entry] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    killed_at: int | None = None
    failure: Exception | None = None
    hears: Callable[[int], None] = lambda _number: None

    async def begin(self, _incident_id: str, opening: Opening) -> Sequence[Entry]:
        """Give what there is."""
        self.digests.append(opening.digest)
        return tuple(self.entries)

    async def append(self, _incident_id: str, number: int, entry: Entry) -> None:
        """Keep it, or die of it."""
        if self.failure is not None:
            raise self.failure
        assert number == len(self.entries) + 1
        self.entries.append(entry)
        self.hears(number)
        if number == self.killed_at:
            raise asyncio.CancelledError


def kinds(entries: Sequence[Entry]) -> list[str]:
    """Name the kinds."""
    return [each.kind for each in entries]


async def test_a_curious_model_looks_and_then_reports(seat: Seat) -> None:
    """Its calls go side by side, what they bring has new ids, and the report cites them."""
    prometheus, journal = Prometheus(rows=[row(1.0, 1.0, job="a")]), Kept()
    desk = await seat(means=means(prometheus, Exporter()), journal=journal)
    desk.stand_in.persona = Persona(name="curious")
    about = framed(brief())
    written = await desk.analyst.analyse(about)
    assert kinds(journal.entries) == ["answered", "looked", "answered", "tried"]
    looked = journal.entries[1]
    assert isinstance(looked, Looked)
    assert [each.outcome for each in looked.results] == ["ok"] * 5 + ["again", "ok"]
    assert prometheus.asked == ["up", "up"]
    ids = [each.id for each in written.evidence]
    assert ids == [f"E{number}" for number in range(3, 3 + len(ids))]
    cited = {name for each in written.summary for name in each.evidence}
    assert cited & set(ids)
    assert (written.partial, written.spend.calls) == (False, 2)
    composed = report(about, written)
    assert all(claim.standing is Standing.VERIFIED for claim in composed.causes[0].claims)


async def test_the_last_turn_has_the_report_alone(seat: Seat) -> None:
    """One that would ask for ever is brought to an end, and the report says why it is partial."""
    journal = Kept()
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 1.0)])), journal=journal, turns=3)
    desk.stand_in.persona = Persona(name="restless")
    written = await desk.analyst.analyse(framed(brief()))
    offered = [len(each["tools"]) for each in desk.stand_in.received]
    assert offered[:2] == [6, 6]
    assert offered[2] == 1
    assert written.partial
    assert "its 3 turns are used up" in written.notes[-1]
    assert kinds(journal.entries) == ["answered", "looked"] * 2 + ["answered", "tried"]


@pytest.mark.parametrize("limit", [Ceiling(tokens=45_000), Ceiling(price=0.06)])
async def test_tokens_and_price_end_the_looking(seat: Seat, limit: Ceiling) -> None:
    """Where another look and a report might not fit under the ceiling, it is the report's turn."""
    ceilings = Ceilings(incident=limit)
    desk = await seat(
        means=means(Prometheus(rows=[row(1.0, 1.0)])),
        ceilings=ceilings,
        turns=20,
        prices={MODEL: Price(prompt=1.0, output=2.0)},
    )
    desk.stand_in.persona = Persona(name="restless")
    written = await desk.analyst.analyse(framed(brief()))
    assert "its ceiling would not hold another look" in written.notes[-1]
    assert 1 < len(desk.stand_in.received) < 10


async def test_time_ends_the_looking(seat: Seat) -> None:
    """Beyond its share of the deadline only the report is on offer."""
    journal = Kept()
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 1.0)])), journal=journal)
    desk.stand_in.persona = Persona(name="restless")

    def pass_time(number: int) -> None:
        desk.time.now += 5.0 if number < 4 else 0.0

    journal.hears = pass_time
    written = await desk.analyst.analyse(framed(brief()))
    assert "0.6 of its deadline is over" in written.notes[-1]


async def test_calls_outside_the_list_are_refused(seat: Seat) -> None:
    """They reach nobody, the model is told, and the report counts them."""
    prometheus, journal = Prometheus(), Kept()
    desk = await seat(means=means(prometheus), journal=journal)
    desk.stand_in.persona = Persona(name="intruder")
    written = await desk.analyst.analyse(framed(brief()))
    looked = journal.entries[1]
    assert isinstance(looked, Looked)
    assert [each.outcome for each in looked.results] == ["refused"] * 3 + ["invalid"] * 2
    assert prometheus.asked == ["up"]  # its refutation alone
    assert "refused: 3 calls" in written.notes[-1]


async def test_what_is_there_by_the_deadline_is_delivered(seat: Seat) -> None:
    """A model that hangs after it looked leaves what it looked at, and the report is partial."""
    journal = Kept()
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 1.0)])), journal=journal, deadline="5s")
    about = framed(brief())
    desk.stand_in.persona = Persona(name="curious", times=1, then="hang")
    with pytest.raises(AnalystError) as failure:
        await desk.analyst.analyse(about)
    assert kinds(journal.entries) == ["answered", "looked", "ended"]
    assert failure.value.evidence
    assert failure.value.spend.calls == 1
    made = by_code(about, failure.value.evidence, failure.value.spend, ["late"])
    assert made.partial
    assert made.evidence == failure.value.evidence


@pytest.mark.parametrize("killed_at", [1, 2, 3, 4])
async def test_a_killed_process_asks_nobody_again(seat: Seat, killed_at: int) -> None:
    """Wherever it is killed, what follows is what would have followed, by as many calls."""
    about = framed(brief())
    whole = await seat(means=means(Prometheus(rows=[row(1.0, 1.0)])))
    whole.stand_in.persona = Persona(name="curious")
    expected = await whole.analyst.analyse(about)

    journal = Kept(killed_at=killed_at)
    desk = await seat(means=means(Prometheus(rows=[row(1.0, 1.0)])), journal=journal)
    desk.stand_in.persona = Persona(name="curious")
    with pytest.raises(asyncio.CancelledError):
        await desk.analyst.analyse(about)
    journal.killed_at = None
    written = await desk.analyst.analyse(about)
    assert written == expected
    assert len(desk.stand_in.received) == 2
    assert journal.digests[0] == journal.digests[1]


async def test_another_brief_has_another_digest(seat: Seat) -> None:
    """What was said of other evidence is not gone on with."""
    journal = Kept()
    desk = await seat(journal=journal)
    await desk.analyst.analyse(brief())
    journal.entries.clear()
    await desk.analyst.analyse(brief(detail="another"))
    assert len(set(journal.digests)) == 2


async def test_a_journal_that_fails_holds_no_report_up(seat: Seat) -> None:
    """The analysis goes on without."""
    desk = await seat(journal=Kept(failure=OSError("disk full")))
    assert (await desk.analyst.analyse(brief())).causes


async def test_the_fallback_goes_on_where_the_first_failed(seat: Seat) -> None:
    """It hears what was looked at, and nothing is looked at twice."""
    journal = Kept()
    desk = await seat(
        means=means(Prometheus(rows=[row(1.0, 1.0)])),
        journal=journal,
        fallback_model="mistral-medium-latest",
    )
    desk.stand_in.persona = Persona(name="curious")

    def fail_once(number: int) -> None:
        if number == 2:
            desk.stand_in.persona = Persona(name="429", retry_after="86400", times=1)

    journal.hears = fail_once
    written = await desk.analyst.analyse(framed(brief()))
    assert kinds(journal.entries)[:4] == ["answered", "looked", "switched", "answered"]
    assert isinstance(journal.entries[2], Switched)
    assert written.analyst == "mistral (mistral-medium-latest)"
    assert f"{MODEL}: model answered 429" in written.notes[0]


@pytest.mark.parametrize(
    ("rows", "held"),
    [([row(1.0, 5.0)], True), ([row(1.0, -5.0)], False), ([], None)],
    ids=["stood", "refuted", "empty"],
)
async def test_the_models_own_refutation_is_asked(
    seat: Seat, rows: list[dict[str, object]], held: object
) -> None:
    """`up` below -1 would refute it: what the series say decides, and no series decides nothing."""
    journal = Kept()
    desk = await seat(means=means(Prometheus(rows=rows)), journal=journal)
    desk.stand_in.persona = Persona(name="curious")
    written = await desk.analyst.analyse(framed(brief()))
    tried = journal.entries[-1]
    assert isinstance(tried, Tried)
    assert tried.refutation.held is held
    assert written.refutations == (tried.refutation,)
    assert written.evidence[-1].status is (Status.EMPTY if held is None else Status.OK)


async def test_an_end_without_a_report_is_journalled(seat: Seat) -> None:
    """With its problem and what it cost."""
    journal = Kept()
    desk = await seat(journal=journal)
    desk.stand_in.persona = Persona(name="stubborn")
    problem = await desk.fails()
    assert kinds(journal.entries) == ["answered", "answered", "ended"]
    ended, first = journal.entries[-1], journal.entries[0]
    assert isinstance(ended, Ended)
    assert isinstance(first, Answered)
    assert ended.problem == problem
    assert ended.spend.calls == 2
