"""From a post to a delivered report, in one process, and on after it was stopped."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from structlog.testing import capture_logs

from responder.durable import Engine
from responder.store import work
from responder.store.tables import metadata
from tests.responder.conftest import Start, eventually, place_in
from tests.responder.fakes import ScriptedInvestigation, alert, post
from tests.responder.receiver import Receiver

STAGES = ["gather", "rank", "disprove", "analyse", "report"]


def channel(sink: Receiver) -> str:
    """Write the configuration of a webhook channel."""
    return f"channels: [{{kind: webhook, url: '{sink.url}'}}]"


async def test_an_alert_becomes_a_delivered_report(start: Start, sink: Receiver) -> None:
    """One post is answered 200, investigated, reported and delivered with a key."""
    place = await start(channel(sink))
    assert await place.send(post(alert(starts_at=time.time()))) == 200
    (received,) = await sink.until(1)
    assert received.key
    assert received.body["status"] == "reported"
    assert received.body["report"]["headline"] == "chat hangs"
    (incident,) = await place.reported()
    assert incident["stages_done"] == STAGES
    whole = await place.read(f"/api/v1/incidents/{incident['id']}")
    assert whole["report"]["id"] == incident["report_id"]
    assert [each["event"] for each in whole["history"]] == ["opened", "investigating", "reported"]
    assert received.body["url"].endswith(f"/incidents/{incident['id']}")


async def test_the_end_of_a_reported_incident_is_told_as_well(start: Start, sink: Receiver) -> None:
    """A resolution after the report keeps the report and sends a message under its own key."""
    place = await start(channel(sink))
    began = time.time() - 60
    await place.send(post(alert(starts_at=began)))
    await sink.until(1)
    await place.send(post(alert(starts_at=began, ends_at=time.time())))
    told = await sink.until(2)
    assert [each.body["status"] for each in told] == ["reported", "resolved"]
    assert told[0].key != told[1].key
    assert told[0].body["report"] == told[1].body["report"]
    (incident,) = await place.incidents()
    assert incident["state"] == "reported"
    assert incident["resolved_at"] is not None


async def test_an_end_during_the_investigation_is_told_after_the_report(
    start: Start, sink: Receiver
) -> None:
    """An incident that ends while it is investigated is first reported, then told resolved."""
    investigation = ScriptedInvestigation()
    investigation.hold["analyse"] = asyncio.Event()
    place = await start(channel(sink), investigation=investigation)
    began = time.time() - 60
    await place.send(post(alert(starts_at=began)))
    await _calls(investigation, "analyse", 1)
    await place.send(post(alert(starts_at=began, ends_at=time.time())))
    investigation.hold["analyse"].set()
    told = await sink.until(2)
    assert [each.body["status"] for each in told] == ["reported", "resolved"]


async def test_what_joins_during_the_investigation_has_a_report_of_its_own(
    start: Start, sink: Receiver
) -> None:
    """Another alert that came after the evidence is an incident, and the first ends by itself."""
    investigation = ScriptedInvestigation()
    investigation.hold["analyse"] = asyncio.Event()
    place = await start(channel(sink), investigation=investigation)
    began = time.time() - 60
    await place.send(post(alert(starts_at=began)))
    await _calls(investigation, "analyse", 1)
    await place.send(post(alert("Other", starts_at=began, severity="warning")))
    await place.send(post(alert(starts_at=began, ends_at=time.time())))
    (joined,) = await place.incidents()
    assert len(joined["alertnames"]) == 2
    investigation.hold["analyse"].set()
    second, first = await place.reported(2)
    assert (first["alertnames"], second["alertnames"]) == (["VigieTargetHung"], ["Other"])
    assert first["resolved_at"] is not None
    told = await sink.until(3)
    ends = [each.body["report"]["incident"] for each in told if each.body["status"] == "resolved"]
    assert ends == [first["id"]]
    whole = await place.read(f"/api/v1/incidents/{second['id']}")
    assert whole["history"][0]["text"].endswith(f"it follows incident {first['id']}")


async def test_resolved_before_its_turn_it_is_closed_with_the_reason(start: Start) -> None:
    """A warning that ends in its quiet time is never investigated, and says so."""
    place = await start("incidents: {quiet: 1h}")
    began = time.time() - 60
    await place.send(post(alert(starts_at=began, severity="warning")))
    await place.send(post(alert(starts_at=began, ends_at=time.time(), severity="warning")))
    (incident,) = await place.incidents()
    assert (incident["state"], incident["reason"]) == ("closed", "resolved before its turn")
    assert not place.investigation.calls


async def test_stopped_in_a_stage_it_goes_on_there(tmp_path: Path, sink: Receiver) -> None:
    """After a restart the stages that were done are not run again, and the report is delivered."""
    first = ScriptedInvestigation()
    first.hold["analyse"] = asyncio.Event()
    async with place_in(tmp_path, channel(sink), investigation=first) as place:
        await place.send(post(alert(starts_at=time.time())))
        await _calls(first, "analyse", 1)
    second = ScriptedInvestigation()
    async with place_in(tmp_path, channel(sink), investigation=second) as place:
        await sink.until(1)
        await place.reported()
    assert second.calls == {"analyse": 1, "conclude": 1}


async def test_what_was_delivered_is_not_delivered_again(tmp_path: Path, sink: Receiver) -> None:
    """A restart after a delivery sends nothing twice."""
    async with place_in(tmp_path, channel(sink)) as place:
        await place.send(post(alert(starts_at=time.time())))
        await place.reported()
        await eventually(lambda: _delivered(place))
    async with place_in(tmp_path, channel(sink)) as place:
        await place.send(post(alert("VigieTargetDown", starts_at=time.time(), target="scorer")))
        await place.reported(2)
        received = await sink.until(2)
    assert len({each.key for each in received}) == 2


async def test_what_joins_before_the_analysis_is_in_the_report(start: Start) -> None:
    """Another alert that comes while evidence is gathered is gathered for, and reported on."""
    investigation = ScriptedInvestigation()
    investigation.hold["gather"] = asyncio.Event()
    place = await start(investigation=investigation)
    began = time.time() - 60
    await place.send(post(alert(starts_at=began)))
    await _calls(investigation, "gather", 1)
    await place.send(post(alert("Other", starts_at=began, severity="warning")))
    investigation.hold["gather"].set()
    (incident,) = await place.reported()
    assert set(incident["alertnames"]) == {"VigieTargetHung", "Other"}
    assert investigation.calls["gather"] == 2
    assert investigation.calls["analyse"] == 1
    whole = await place.read(f"/api/v1/incidents/{incident['id']}")
    assert "parted" not in [each["event"] for each in whole["history"]]


@pytest.mark.parametrize("severity", ["warning", "critical"])
async def test_an_end_before_the_analysis_ends_the_investigation_unless_critical(
    start: Start, sink: Receiver, severity: str
) -> None:
    """What is over while evidence is gathered is closed with its reason; a critical is reported."""
    investigation = ScriptedInvestigation()
    investigation.hold["gather"] = asyncio.Event()
    place = await start(
        f"{{incidents: {{quiet: 0s}}, {channel(sink)}}}", investigation=investigation
    )
    began = time.time() - 60
    await place.send(post(alert(starts_at=began, severity=severity)))
    await _calls(investigation, "gather", 1)
    await place.send(post(alert(starts_at=began, ends_at=time.time(), severity=severity)))
    investigation.hold["gather"].set()

    async def over() -> str:
        (incident,) = await place.incidents()
        return incident["state"] if incident["state"] in {"closed", "reported"} else ""

    is_critical = severity == "critical"
    assert await eventually(over) == ("reported" if is_critical else "closed")
    assert investigation.calls["analyse"] == (1 if is_critical else 0)
    (incident,) = await place.incidents()
    if not is_critical:
        assert "resolved before" in incident["reason"]
        assert await place.responder.store.read(work.pending) == 0


async def test_a_critical_does_not_wait_for_what_began_before(start: Start) -> None:
    """With every place taken, a critical incident is investigated all the same."""
    investigation = ScriptedInvestigation()
    investigation.hold["gather"] = asyncio.Event()
    place = await start("{concurrency: 1, incidents: {quiet: 0s}}", investigation=investigation)
    now = time.time()
    await place.send(post(alert("A", starts_at=now, target="A", severity="warning")))
    await _calls(investigation, "gather", 1)
    await place.send(post(alert("B", starts_at=now, target="B", severity="warning")))
    await place.send(post(alert("C", starts_at=now, target="C")))
    await _calls(investigation, "gather", 2)
    assert investigation.order == ["A", "C"]


async def test_a_turn_set_by_a_clock_put_back_since_is_taken_now(start: Start) -> None:
    """Work that is due after ten minutes of a clock that was ten minutes ahead does not wait."""
    clock = Hurried()
    clock.ahead_seconds = 600
    place = await start("incidents: {quiet: 30s}", clock=clock)
    await place.send(post(alert(starts_at=time.time(), severity="warning")))
    clock.ahead_seconds = 0
    place.responder.dispatcher.wake()
    await place.reported()


async def test_what_is_over_is_deleted_with_its_run(start: Start) -> None:
    """When an incident is old enough, nothing of it is left, nor of its run."""
    place = await start("retention: {incidents: 1ms, bodies: 1ms}")
    began = time.time() - 60
    await place.send(post(alert(starts_at=began)))
    await place.reported()
    assert await place.responder.retention.once() == 0
    await place.send(post(alert(starts_at=began, ends_at=time.time())))

    async def deleted() -> bool:
        return await place.responder.retention.once() == 1

    await eventually(deleted)
    assert await place.incidents() == []
    engine = sqlalchemy.create_engine(place.responder.store.workflows_url)
    with engine.connect() as connection:
        for table in ("workflow_status", "operation_outputs"):
            found = connection.execute(sqlalchemy.text(f"SELECT count(*) FROM {table}"))
            assert found.scalar_one() == 0
    engine.dispose()


async def test_a_stage_that_fails_is_tried_again(start: Start) -> None:
    """One failure of a stage costs an attempt, not the report."""
    investigation = ScriptedInvestigation()
    investigation.fail["gather"] = 1
    clock = Hurried()
    place = await start(investigation=investigation, clock=clock)
    await place.send(post(alert(starts_at=time.time())))
    await _calls(investigation, "gather", 1)
    (incident,) = await _reported_hurriedly(place, clock)
    assert investigation.calls["gather"] == 2
    assert incident["headline"] == "chat hangs"


async def test_an_investigation_that_always_fails_still_reports(
    start: Start, sink: Receiver
) -> None:
    """After the last attempt a report says that nothing was looked at, pages, and is delivered."""
    investigation = ScriptedInvestigation()
    investigation.fail["gather"] = 99
    clock = Hurried()
    place = await start(channel(sink), investigation=investigation, clock=clock)
    await place.send(post(alert(starts_at=time.time())))
    (incident,) = await _reported_hurriedly(place, clock)
    assert incident["decision"] == "page"
    (received,) = await sink.until(1)
    assert "told to fail in gather" in received.body["report"]["notes"][0]


async def test_an_outage_of_the_engines_database_costs_no_report(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it fails for want of a disk, the incident is investigated after it."""
    investigation, clock, failures = ScriptedInvestigation(), Hurried(), iter(range(5))
    run = Engine.run

    async def breaks(self: Engine, *arguments: str) -> str:
        if next(failures, None) is not None:
            with sqlalchemy.create_engine("sqlite:////nowhere/at/all.db").connect():
                pass
        return await run(self, *arguments)

    monkeypatch.setattr(Engine, "run", breaks)
    place = await start(investigation=investigation, clock=clock)
    await place.send(post(alert(starts_at=time.time())))
    (incident,) = await _reported_hurriedly(place, clock)
    assert next(failures, None) is None
    assert incident["headline"] == "chat hangs"


async def test_why_an_investigation_failed_is_told_without_secrets(
    start: Start, sink: Receiver
) -> None:
    """What an error from outside quotes is masked on the page, in the message, row and log."""
    key = "sk-" + "a1B2c3D4" * 5
    investigation = ScriptedInvestigation()
    investigation.fail["gather"], investigation.problem = 99, f": 401 for {key}\x1b[31m"
    clock = Hurried()
    place = await start(channel(sink), investigation=investigation, clock=clock)
    with capture_logs() as logs:
        await place.send(post(alert(starts_at=time.time())))
        (incident,) = await _reported_hurriedly(place, clock)
    (received,) = await sink.until(1)
    query = sqlalchemy.select(metadata.tables["work"].c.problem)
    problems = await place.responder.store.read(lambda store: list(store.execute(query).scalars()))
    failures = [each["problem"] for each in logs if each["event"] == "investigation failed"]
    page = await place.text(f"/incidents/{incident['id']}")
    for text in (*problems, *failures, *received.body["report"]["notes"][:1]):
        assert "told to fail in gather" in text
        assert "\x1b" not in text
    for text in (*problems, *failures, str(received.body), page):
        assert key not in text
    assert len(failures) == 3


async def test_criticals_go_first_and_no_more_run_than_allowed(start: Start) -> None:
    """With one at a time, a critical incident overtakes the warnings that wait."""
    investigation = ScriptedInvestigation()
    investigation.hold["gather"] = asyncio.Event()
    place = await start("{concurrency: 1, incidents: {quiet: 0s}}", investigation=investigation)
    now = time.time()
    for name, severity in (("A", "warning"), ("B", "warning"), ("C", "info"), ("D", "critical")):
        await place.send(post(alert(name, starts_at=now, target=name, severity=severity)))
        if name == "A":
            await _calls(investigation, "gather", 1)
    assert investigation.calls["gather"] == 1
    investigation.hold["gather"].set()
    await place.reported(4)
    assert investigation.order == ["A", "D", "B", "C"]


class Hurried:
    """The time, moved ahead by hand."""

    def __init__(self) -> None:
        """Begin with the real time."""
        self.ahead_seconds = 0.0

    def __call__(self) -> float:
        """Give the time."""
        return time.time() + self.ahead_seconds


async def _reported_hurriedly(place: Any, clock: Hurried) -> list[dict[str, Any]]:
    """Let the time between attempts pass until the incident is reported."""

    async def ask() -> list[dict[str, Any]] | None:
        clock.ahead_seconds += 60
        place.responder.dispatcher.wake()
        found: list[dict[str, Any]] = await place.incidents()
        return found if found[0]["state"] == "reported" else None

    reported: list[dict[str, Any]] = await eventually(ask)
    return reported


async def _calls(investigation: ScriptedInvestigation, stage: str, count: int) -> None:
    async def enough() -> bool:
        return investigation.calls[stage] >= count

    await eventually(enough)


async def _delivered(place: Any) -> bool:
    return all(each["delivered"] for each in await place.incidents())
