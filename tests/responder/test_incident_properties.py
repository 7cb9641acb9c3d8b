"""What holds of incidents whatever comes, in whatever order: through the real intake and store."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responder.incident import WATCHDOG, IncidentState
from responder.store import work
from responder.store.store import Store
from tests.responder.stream import CHANNELS, POSTS, STREAMS, Happening, Post, World

# The store is emptied at the start of each example; making a new one each time takes long.
KEPT = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
OPEN = {IncidentState.WAITING, IncidentState.INVESTIGATING}
UNDER_WAY = {work.WAITING, work.RUNNING}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give an empty world on SQLite."""
    with Store(f"sqlite:///{tmp_path}/vigie.db") as store, asyncio.Runner() as runner:
        yield World(store=store, runner=runner)


@pytest.fixture
def any_world(database_url: str) -> Iterator[World]:
    """Give an empty world on SQLite, and one on PostgreSQL."""
    with Store(database_url) as store, asyncio.Runner() as runner:
        yield World(store=store, runner=runner)


def begun(world: World) -> World:
    """Give a new world on the same store, emptied."""
    fresh = World(store=world.store, runner=world.runner)
    fresh.empty()
    return fresh


def run(world: World, stream: Sequence[Happening]) -> World:
    """Let everything of a stream happen in an empty world."""
    fresh = begun(world)
    for happening in stream:
        fresh.happen(happening)
    return fresh


@given(stream=STREAMS)
@settings(max_examples=25, suppress_health_check=KEPT)
def test_every_episode_is_accounted_for(world: World, stream: list[Happening]) -> None:
    """Each is in one incident, the watchdog's in none; what is open has work, and ends reported."""
    check_accounts(run(world, stream))


def check_accounts(after: World) -> None:
    """Check episodes, work and states, then let everything end."""
    for row in after.rows("episodes"):
        assert (row.incident_id is None) == (row.alertname == WATCHDOG)
    states = {row.id: row.state for row in after.rows("incidents")}
    tasks = Counter(row.incident_id for row in after.rows("work") if row.state in UNDER_WAY)
    assert tasks == Counter(each for each, state in states.items() if state in OPEN)
    after.drain()
    assert {row.state for row in after.rows("incidents")} <= {"reported", "closed"}


@given(stream=STREAMS)
@settings(max_examples=25, suppress_health_check=KEPT)
def test_an_incident_is_over_when_all_of_it_is(world: World, stream: list[Happening]) -> None:
    """Resolved if and only if every episode of it is, at the last of their ends."""
    check_ends(run(world, stream))


def check_ends(after: World) -> None:
    """Check when incidents are over."""
    episodes = after.rows("episodes")
    for row in after.rows("incidents"):
        ends = [each.resolved_at for each in episodes if each.incident_id == row.id]
        assert ends
        over = None if None in ends else max(ends)
        assert row.resolved_at == over


@given(stream=STREAMS)
@settings(max_examples=25, suppress_health_check=KEPT)
def test_occurrences_and_merges_never_chain(world: World, stream: list[Happening]) -> None:
    """Each refers to what was reported, and that to nothing; the earlier one stands for both."""
    check_references(run(world, stream))


def check_references(after: World) -> None:
    """Check what incidents refer to."""
    rows = {row.id: row for row in after.rows("incidents")}
    made = {row.incident_id for row in after.rows("reports")}
    for row in rows.values():
        if row.occurrence_of is not None:
            assert row.occurrence_of in made
            assert rows[row.occurrence_of].occurrence_of is None
            assert row.state == IncidentState.CLOSED
        if row.merged_into is not None:
            root = rows[row.merged_into]
            assert root.merged_into is None
            assert {row.id, root.id} <= made
            assert (root.opened_at, root.id) < (row.opened_at, row.id)


@given(stream=STREAMS)
@settings(max_examples=25, suppress_health_check=KEPT)
def test_every_change_has_its_line(world: World, stream: list[Happening]) -> None:
    """State, end, merge and flaps of each incident can be read from its history alone."""
    check_lines(run(world, stream))


def check_lines(after: World) -> None:
    """Check incidents against their histories."""
    lines = after.rows("incident_log")
    assert all(line.text for line in lines)
    for row in after.rows("incidents"):
        events = [line.event for line in lines if line.incident_id == row.id]
        assert events[0] == "opened"
        assert told_state(events, is_occurrence=row.occurrence_of is not None) == row.state
        ends = [each for each in events if each in {"resolved", "joined", "reopened", "flaps"}]
        assert (ends[-1:] == ["resolved"]) == (row.resolved_at is not None)
        assert events.count("flaps") == row.flaps
        assert events.count("merged") >= (row.merged_into is not None)
        assert row.reason in {line.text for line in lines if line.incident_id == row.id}


def told_state(events: Sequence[str], *, is_occurrence: bool) -> str:
    """Give the state that a history tells of."""
    state = "closed" if is_occurrence else "waiting"
    for event in events:
        if event in {"investigating", "reported", "closed"}:
            state = event
    return state


@given(stream=STREAMS)
@settings(max_examples=25, suppress_health_check=KEPT)
def test_the_worst_has_the_first_turn(world: World, stream: list[Happening]) -> None:
    """Waiting work ranks as its incident does, and that as the worst that is in it."""
    after = run(world, stream)
    incidents = {row.id: row for row in after.rows("incidents")}
    for task in after.rows("work"):
        if task.state == work.WAITING:
            assert task.priority == incidents[task.incident_id].severity_rank
            assert task.due_at <= incidents[task.incident_id].joined_at + 15


@given(stream=STREAMS)
@settings(max_examples=25, suppress_health_check=KEPT)
def test_what_is_reported_is_told_once(world: World, stream: list[Happening]) -> None:
    """One report and at most one end that holds on each channel, whatever joined or flapped."""
    after = run(world, stream)
    told = Counter(
        (row.incident_id, row.channel, row.event)
        for row in after.rows("outbox")
        if row.status != "withdrawn"
    )
    for row in after.rows("incidents"):
        for channel in CHANNELS:
            is_reported = row.state == IncidentState.REPORTED
            assert told[row.id, channel, "reported"] == is_reported
            over = is_reported and row.resolved_at is not None
            assert told[row.id, channel, "resolved"] >= over
            # Before it flaps an end may be told; while it flaps only one that lasts.
            assert told[row.id, channel, "resolved"] <= 1 + row.flaps


@given(stream=STREAMS)
@settings(max_examples=25, suppress_health_check=KEPT)
def test_a_second_alertmanager_changes_nothing(world: World, stream: list[Happening]) -> None:
    """A post that comes twice leaves all but the count of what came as it was."""
    after = run(world, stream)
    before = facts(after)
    for body in after.bodies[-1:]:
        is_news = facts(after)
        after.deliver(body)
        once = facts(after)
        after.deliver(body)
        assert facts(after) == once
        assert is_news == before


def facts(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Give all that a repeated post must leave alone."""
    volatile = {"resent", "last_seen_at"}
    return {
        name: [
            tuple(value for key, value in row._mapping.items() if key not in volatile)
            for row in world.rows(name)
        ]
        for name in ("incidents", "incident_keys", "incident_log", "episodes", "work", "outbox")
    }


@given(stream=STREAMS, batch=st.lists(POSTS, min_size=1, max_size=8))
@settings(max_examples=25, suppress_health_check=KEPT)
def test_a_batch_is_as_one_after_the_other(
    world: World, stream: list[Happening], batch: list[Post]
) -> None:
    """Posts that share a transaction leave the same store as posts that each have their own."""
    check_batch(world, stream, batch)


def check_batch(world: World, stream: list[Happening], batch: list[Post]) -> None:
    """Compare the stores that the same posts leave, together and alone."""
    with chosen_ids():
        alone = run(world, stream)
    bodies = [alone.body(post) for post in batch]
    for body in bodies:
        alone.deliver(body)
    expected = story(alone)
    with chosen_ids():
        together = run(world, stream)
    together.deliver_together(bodies)
    assert story(together) == expected


@given(stream=STREAMS, batch=st.lists(POSTS, min_size=1, max_size=4))
@settings(max_examples=6, suppress_health_check=KEPT)
def test_all_of_it_holds_on_both_databases(
    any_world: World, stream: list[Happening], batch: list[Post]
) -> None:
    """Accounted for, over when all of it is, told by its history, and the same in a batch."""
    after = run(any_world, stream)
    check_accounts(after)
    check_ends(after)
    check_references(after)
    check_lines(after)
    check_batch(any_world, stream, batch)


@contextmanager
def chosen_ids() -> Iterator[None]:
    """Let the same stream have the same ids each time: they decide what is of one moment."""
    chance = random.Random(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", chance.randbytes)
        yield


def story(world: World) -> list[object]:
    """Give all of a store's incidents, but for their ids and the order of what is at one time."""
    members: dict[str, list[tuple[object, ...]]] = {}
    for row in world.rows("episodes"):
        times = (row.starts_at, row.first_seen_at, row.resolved_at, row.seen_late, row.resent)
        members.setdefault(row.incident_id, []).append((row.fingerprint, *map(str, times)))
    ranked = sorted(members, key=lambda each: (each is None, sorted(members[each])))
    names = {each: f"#{number}" for number, each in enumerate(ranked) if each}
    tables = {
        "incident_log": ("event", "text", "at"),
        "work": ("priority", "due_at", "state"),
        "outbox": ("channel", "event", "status", "due_at", "note"),
        "incident_keys": ("key",),
    }
    found: list[object] = [(names.get(each), sorted(members[each])) for each in ranked]
    found += sorted(named(str(tuple(row)[1:]), names) for row in world.rows("incidents"))
    for name, columns in tables.items():
        places: Counter[str] = Counter()
        lines = []
        for row in world.rows(name):
            # Of one incident the order counts, but for keys, which have none.
            places[row.incident_id] += name != "incident_keys"
            values = [getattr(row, column) for column in columns]
            lines.append(f"{row.incident_id} {places[row.incident_id]} {values}")
        found.append((name, sorted(named(line, names) for line in lines)))
    return found


def named(text: str, names: Mapping[str, str]) -> str:
    """Put a number for each id in a text."""
    return re.sub(r"[0-9a-f]{16}", lambda found: names.get(found[0], found[0]), text)
