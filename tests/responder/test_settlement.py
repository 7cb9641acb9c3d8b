"""What follows when episodes end, join or come too late, through the real intake and store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from structlog.testing import capture_logs

from responder.settlement import RESOLVED_EARLY
from responder.store.store import Store
from responder.store.tables import metadata
from tests.responder.fakes import alert, post
from tests.responder.stream import (
    CHANNELS,
    EPOCH,
    POLICY,
    POOL,
    Begin,
    Cancel,
    Finish,
    Happening,
    Post,
    Tick,
    World,
)

CRITICAL, SECOND, WARNING, SECOND_WARNING, NATIVE, OTHER = 0, 1, 2, 3, 5, 6
UNKNOWN_CAUSE = 2


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Give an empty world, on SQLite and on PostgreSQL."""
    with Store(database_url) as store, asyncio.Runner() as runner:
        yield World(store=store, runner=runner)


def fires(*numbers: int) -> Post:
    """Tell that alerts of the pool fire."""
    return Post(told=tuple((number, True) for number in numbers))


def ends(*numbers: int) -> Post:
    """Tell that alerts of the pool are over."""
    return Post(told=tuple((number, False) for number in numbers))


def play(world: World, *happenings: Happening) -> None:
    """Let things happen, a second after each other."""
    for happening in happenings:
        world.happen(happening)
        world.now += 1


def looked_at(cause: int = UNKNOWN_CAUSE) -> tuple[Happening, ...]:
    """Give an investigation from its turn to its report."""
    return Tick(seconds=20), Begin(), Finish(cause=cause)


def history(world: World, incident_id: str) -> list[tuple[str, str]]:
    """Give the events and texts of an incident."""
    rows = world.rows("incident_log")
    return [(row.event, row.text) for row in rows if row.incident_id == incident_id]


def messages(world: World, channel: str = CHANNELS[0]) -> list[tuple[str, str]]:
    """Give what a channel is, or was, to be told: events with how they stand."""
    return [(row.event, row.status) for row in world.rows("outbox") if row.channel == channel]


def newest(world: World) -> Any:
    """Give the incident that was opened last."""
    return max(world.rows("incidents"), key=lambda row: row.opened_at)


def test_a_second_fingerprint_of_a_critical_condition_is_told(world: World) -> None:
    """It joins the reported incident, whose channels hear of it: once for a while, not for each."""
    play(world, fires(CRITICAL), *looked_at(), Tick(seconds=600), fires(SECOND))
    (incident,) = world.rows("incidents")
    assert history(world, incident.id)[-1] == (
        "joined",
        "Hung joined: the same condition while the incident lasts",
    )
    assert messages(world) == [("reported", "pending"), ("updated", "pending")]
    play(world, ends(SECOND), fires(SECOND))
    assert messages(world).count(("updated", "pending")) == 1
    assert len(world.rows("episodes")) == 3


def test_after_the_clock_is_put_back_channels_still_hear(world: World) -> None:
    """What was told by a clock ahead of ours is no message that waits; a new one goes at once."""

    def joins(instance: str) -> None:
        more = alert("Hung", starts_at=world.now, instance=instance)
        world.deliver(orjson.dumps(post(more, group="g0")))
        world.now += 1

    def pending() -> list[float]:
        rows = [row for row in world.rows("outbox") if row.channel == CHANNELS[0]]
        return [row.due_at - world.now for row in rows if row.status == "pending"]

    play(world, fires(CRITICAL), *looked_at(), Tick(seconds=600), fires(SECOND))
    world.write(tell_all)
    world.now -= 600
    joins("c")
    assert pending() == [-1]
    world.write(tell_all)
    for instance in "defg":
        joins(instance)
    (wait_seconds,) = pending()
    assert wait_seconds == pytest.approx(POLICY.join_within_seconds - 5)


def tell_all(connection: Connection) -> None:
    """Let all messages arrive."""
    connection.execute(sa.update(metadata.tables["outbox"]).values(status="delivered"))


def test_a_second_fingerprint_of_a_warning_is_on_the_page_alone(world: World) -> None:
    """It joins as well, but nobody is told."""
    play(world, fires(WARNING), *looked_at(), Tick(seconds=600), fires(SECOND_WARNING))
    assert len(world.rows("incidents")) == 1
    assert messages(world) == [("reported", "pending")]


def test_what_resolves_while_it_is_investigated_is_closed_with_its_reason(world: World) -> None:
    """A cancelled investigation leaves a stored closure."""
    play(world, fires(WARNING), Tick(seconds=20), Begin(), ends(WARNING), Cancel())
    (incident,) = world.rows("incidents")
    assert (incident.state, incident.reason) == ("closed", RESOLVED_EARLY)
    assert history(world, incident.id)[-1] == ("closed", RESOLVED_EARLY)
    assert messages(world) == []


def test_what_fires_again_is_not_cancelled(world: World) -> None:
    """Resolved and refired while it is investigated: one incident, one report, still open."""
    play(world, fires(CRITICAL), Begin(), ends(CRITICAL), fires(CRITICAL), Cancel())
    (incident,) = world.rows("incidents")
    assert (incident.state, incident.resolved_at) == ("investigating", None)
    assert [event for event, _ in history(world, incident.id)] == [
        "opened",
        "investigating",
        "resolved",
        "reopened",
    ]
    play(world, Finish(cause=UNKNOWN_CAUSE))
    assert messages(world) == [("reported", "pending")]
    play(world, ends(CRITICAL))
    assert messages(world) == [("reported", "pending"), ("resolved", "pending")]


def test_what_was_over_before_we_heard_of_it_is_closed_as_such(world: World) -> None:
    """An alert that is first seen as resolved has a closure with that reason."""
    play(world, ends(CRITICAL))
    (incident,) = world.rows("incidents")
    assert (incident.state, incident.reason) == ("closed", "it was over before we heard of it")


@pytest.mark.parametrize("number", [CRITICAL, WARNING])
def test_what_flaps_is_one_incident_and_few_messages(world: World, number: int) -> None:
    """Ten times in ten minutes: it is said to flap once, and its end once, when it is quiet."""
    play(world, fires(number), *looked_at(), ends(number))
    for _ in range(9):
        play(world, Tick(seconds=40), fires(number), *looked_at(), ends(number))
    told = Counter(messages(world))
    assert told["updated", "pending"] == 1
    # Those that were told before it flapped, and the last, which waits until it is quiet.
    assert told["resolved", "pending"] == len(world.rows("reports")) + 1
    assert told["resolved", "withdrawn"] >= 6
    flapping = max(world.rows("incidents"), key=lambda row: row.flaps)
    events = history(world, flapping.id)
    name = POOL[number]["name"]
    assert ("flaps", f"{name} fires again: flaps: fired 3 times within 15 min") in events
    last = [row for row in world.rows("outbox") if row.event == "resolved"][-1]
    assert last.status == "pending"
    assert last.due_at - world.now > 800


def test_an_end_is_told_without_a_look_at_every_episode(world: World) -> None:
    """However many an incident has had: their records stay unread."""
    play(world, fires(CRITICAL), *looked_at())
    (incident,) = world.rows("incidents")

    def crowd(connection: Connection) -> None:
        table = metadata.tables["episodes"]
        (own,) = connection.execute(sa.select(table)).all()
        rows = [
            own._asdict()
            | {
                "id": f"e{n}",
                "fingerprint": f"f{n}",
                "resolved_at": EPOCH + n,
                "alert": "cannot be read",
            }
            for n in range(50)
        ]
        connection.execute(sa.insert(table), rows)

    world.write(crowd)
    play(world, ends(CRITICAL))
    (row,) = world.rows("incidents")
    last = max(each.resolved_at for each in world.rows("episodes"))
    assert (row.id, row.resolved_at) == (incident.id, last)
    assert ("resolved", "pending") in messages(world)


def test_what_recurs_is_investigated_once_more(world: World) -> None:
    """Of seven times in little more than an hour, the first and the fourth are investigated."""
    play(world, fires(WARNING), *looked_at(), ends(WARNING))
    for _ in range(6):
        play(world, Tick(seconds=700), fires(WARNING), *looked_at(), ends(WARNING))
    rows = sorted(world.rows("incidents"), key=lambda row: row.opened_at)
    first, *others = rows
    recurred = [row for row in others if row.recurs]
    assert len(world.rows("reports")) == 2
    assert len(recurred) == 1
    opened = history(world, recurred[0].id)[0]
    assert opened == ("opened", f"recurs: 3 times in 1 h since incident {first.id}")
    assert {row.occurrence_of for row in others} == {first.id, recurred[0].id, None}


def test_two_incidents_with_one_cause_are_one(world: World) -> None:
    """The later one belongs to the earlier, both say why, and its message says so."""
    play(world, fires(CRITICAL), fires(OTHER), Tick(seconds=60), Begin(), Begin())
    first, second = sorted(world.rows("incidents"), key=lambda row: row.opened_at)
    play(world, Finish(cause=0), Finish(cause=0))
    merged = {row.id: row.merged_into for row in world.rows("incidents")}
    assert merged == {first.id: None, second.id: first.id}
    reason = "both name component 0: hung_engine as their first cause, with onsets 1 s apart"
    belongs = ("merged", f"one with incident {first.id}: {reason}")
    assert belongs in history(world, second.id)
    stands = ("merged", f"incident {second.id} turned out to be this one: {reason}")
    assert stands in history(world, first.id)
    notes = {row.incident_id: row.note for row in world.rows("outbox")}
    assert notes == {first.id: "", second.id: f"belongs to incident {first.id}: {reason}"}


def test_a_merge_that_comes_late_is_told(world: World) -> None:
    """The later one was reported first: its channels hear that it belongs to the other."""
    play(world, fires(CRITICAL), fires(OTHER), Tick(seconds=60), Begin(), Begin())
    world.running.reverse()
    first, second = sorted(world.rows("incidents"), key=lambda row: row.opened_at)
    play(world, Finish(cause=0), Finish(cause=0))
    assert {row.id: row.merged_into for row in world.rows("incidents")}[second.id] == first.id
    told = [(row.event, row.note) for row in world.rows("outbox") if row.incident_id == second.id]
    assert ("updated", f"belongs to incident {first.id}") in told


def test_what_the_merged_one_covers_joins_the_one_that_stands(world: World) -> None:
    """After a merge, both targets and all alerts are the earlier incident's."""
    play(world, fires(WARNING), fires(OTHER), Tick(seconds=60), Begin(), Begin())
    first, _ = sorted(world.rows("incidents"), key=lambda row: row.opened_at)
    play(world, Finish(cause=1), Finish(cause=1), ends(OTHER), Tick(seconds=200), fires(OTHER))
    last = max(world.rows("episodes"), key=lambda row: row.first_seen_at)
    assert (last.fingerprint.count("other"), last.incident_id) == (1, first.id)


def test_the_unknown_is_not_merged(world: World) -> None:
    """Reports that name no cause say nothing of being one."""
    play(world, fires(CRITICAL), fires(OTHER), Tick(seconds=60), Begin(), Begin())
    play(world, Finish(cause=UNKNOWN_CAUSE), Finish(cause=UNKNOWN_CAUSE))
    assert {row.merged_into for row in world.rows("incidents")} == {None}


def test_an_alert_without_a_target_joins_the_target_in_front_of_it(world: World) -> None:
    """What the juniors say of their target tells its component, whichever alert comes first."""
    play(world, fires(NATIVE), fires(WARNING))
    assert len(world.rows("incidents")) == 1
    world.empty()
    play(world, fires(WARNING), fires(NATIVE), fires(OTHER))
    assert len(world.rows("incidents")) == 2


@pytest.mark.parametrize(
    ("column", "odd"),
    [("report", {"headline": "of tomorrow"}), ("suspects", [{"kind": "a kind of tomorrow"}])],
)
def test_a_report_that_cannot_be_read_is_compared_with_nothing(
    world: World, column: str, odd: Any
) -> None:
    """What another version wrote keeps no report from being stored, and is said in the log."""
    play(world, fires(CRITICAL), fires(OTHER), Tick(seconds=60), Begin(), Begin())
    play(world, Finish(cause=0))
    table = metadata.tables["reports"]
    world.write(lambda database: database.execute(sa.update(table).values({column: odd})))
    with capture_logs() as logs:
        play(world, Finish(cause=0))
    assert len(world.rows("reports")) == 2
    assert [row.merged_into for row in world.rows("incidents")] == [None, None]
    (said,) = [each for each in logs if "cannot be read" in each["event"]]
    assert said["errors"] > 0


def test_what_ends_is_told_though_its_report_cannot_be_read(world: World) -> None:
    """What another version wrote keeps no end, and nobody who joins, from being told."""
    play(world, fires(CRITICAL), *looked_at(), Tick(seconds=600))
    odd = {"headline": "of tomorrow"}
    table = metadata.tables["reports"]
    world.write(lambda database: database.execute(sa.update(table).values(report=odd)))
    play(world, fires(SECOND), ends(CRITICAL, SECOND))
    (incident,) = world.rows("incidents")
    assert incident.resolved_at is not None
    assert [event for event, _ in messages(world)] == ["reported", "updated", "resolved"]
    assert [row.problem for row in world.rows("deliveries")] == [None] * 3
    (report,) = world.rows("reports")
    assert {row.report_id for row in world.rows("outbox")} == {report.id}
