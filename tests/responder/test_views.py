"""What the pages and the API read, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from responder.store import deliveries, views
from responder.store.deliveries import Raw
from responder.store.store import Store
from responder.store.tables import metadata
from responder.store.views import Place
from tests.responder.stream import EPOCH, Begin, Finish, Post, Tick, World

CRITICAL, OTHER, WATCHDOG = 0, 6, 8


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Give an empty world."""
    with Store(database_url) as store, asyncio.Runner() as runner:
        yield World(store=store, runner=runner)


def test_a_file_holds_all_that_is_known(world: World) -> None:
    """Facts, history, deliveries, counts and what belongs to it, in one reading."""
    told = Post(told=((CRITICAL, True), (OTHER, True)), is_doubled=True)
    for happening in (told, Tick(seconds=60), Begin(), Begin(), Finish(cause=0), Finish(cause=0)):
        world.happen(happening)
    first, second = sorted(world.rows("incidents"), key=lambda row: row.severity_rank)
    root_id = second.merged_into or second.id
    file = world.read(lambda database: views.file(database, root_id))
    assert file is not None
    assert [each.fact for each in file.facts] == ["firing"]
    assert list(file.resent.values()) == [1]
    assert [each.id for each in file.merged] == [({first.id, second.id} - {root_id}).pop()]
    assert [each.event for each in file.history][-1] == "merged"
    assert {each.status for each in file.sendings} == {"pending"}
    assert world.read(lambda database: views.file(database, "none")) is None


def test_lists_go_on_where_they_ended(world: World) -> None:
    """Each incident and episode once, also where many are of one moment."""
    world.happen(Post(told=((CRITICAL, True), (OTHER, True), (WATCHDOG, True))))
    whole = world.read(lambda database: views.lines(database, 10))
    (first,) = world.read(lambda database: views.lines(database, 1))
    last = Place(at=first.opened_at, id=first.id)
    (second,) = world.read(lambda database: views.lines(database, 10, before=last))
    assert [first, second] == whole
    kept = world.read(lambda database: views.kept(database, 10, since=EPOCH))
    after = Place(at=kept[0].first_seen_at, id=kept[0].id)
    rest = world.read(lambda database: views.kept(database, 10, since=EPOCH, after=after))
    assert kept[1:] == rest
    assert [each.incident_id for each in kept].count(None) == 1
    assert world.read(lambda database: views.kept(database, 10, since=EPOCH + 1)) == []


def test_of_what_could_not_be_read_the_beginning_is_loaded_alone(world: World) -> None:
    """However large the body, its size is told and four thousand bytes are shown."""
    body = b"\xff\x00" * 50_000
    raw = Raw(id="a1", kind="alertmanager", received_at=EPOCH, body=body, problem="not JSON")
    other = replace(raw, id="b2", body=b"", received_at=EPOCH - 1)
    for each in (raw, other, replace(raw, id="c3", problem=None)):
        world.write(lambda database, post=each: deliveries.keep(database, post))  # type: ignore[misc]
    first, second = world.read(lambda database: views.unread(database, 10))
    assert (first.size_bytes, first.head, first.requeued_at) == (100_000, body[:4000], None)
    assert (second.id, second.size_bytes, second.head) == ("b2", 0, b"")
    place = Place(at=first.received_at, id=first.id)
    assert world.read(lambda database: views.unread(database, 10, before=place)) == [second]


@pytest.mark.parametrize(
    ("column", "odd"),
    [
        ("report", {"headline": "of tomorrow"}),
        ("report", {"causes": 3, "decision": "none"}),
        ("report", ["of tomorrow"]),
        ("evidence", [{"id": "E1", "of": "tomorrow"}]),
        ("suspects", {"of": "tomorrow"}),
        ("disproofs", [3]),
    ],
)
def test_of_a_report_that_cannot_be_read_the_rest_is_there(
    world: World, column: str, odd: Any
) -> None:
    """The file says so, and so does its line where the report itself is odd."""
    for happening in (Post(told=((CRITICAL, True),)), Begin(), Finish(cause=0)):
        world.happen(happening)
    table = metadata.tables["reports"]
    world.write(lambda database: database.execute(sa.update(table).values({column: odd})))
    (line,) = world.read(lambda database: views.lines(database, 10))
    file = world.read(lambda database: views.file(database, line.id))
    assert file is not None
    assert (file.dossier, file.report_problem) == (None, views.UNREADABLE)
    assert len(file.incident.episodes) == 1
    if column == "report":
        assert (line.report, line.report_problem) == (None, views.UNREADABLE)


def test_of_very_many_episodes_the_first_are_loaded(world: World) -> None:
    """The others are counted; all of an incident's are in the list of episodes, page by page."""
    world.happen(Post(told=((CRITICAL, True),)))
    table = metadata.tables["episodes"]

    def crowd(connection: sa.Connection) -> None:
        (own,) = connection.execute(sa.select(table)).all()
        more = [
            own._asdict() | {"id": f"e{n}", "fingerprint": f"f{n}", "starts_at": EPOCH + n}
            for n in range(1, 50)
        ]
        connection.execute(sa.insert(table), more)

    world.write(crowd)
    world.happen(Post(told=((OTHER, True),)))
    root = next(row.incident_id for row in world.rows("episodes") if row.id == "e1")
    file = world.read(lambda database: views.file(database, root, episodes_limit=20))
    assert file is not None
    assert (len(file.incident.episodes), file.episodes_total) == (20, 50)
    assert set(file.resent) == {each.id for each in file.incident.episodes}
    kept = world.read(lambda database: views.kept(database, 100, since=0, incident_id=root))
    assert {each.incident_id for each in kept} == {root}
    assert len(kept) == 50
