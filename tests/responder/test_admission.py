"""A batch of posts in one transaction: as if each had come alone, on both databases."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

import responder.admission
from responder.admission import Post, Rules, admit
from responder.alert import Alert, AlertStatus, Delivery
from responder.incident import Known, Placement, Policy, place
from responder.intake import Intake
from responder.store import admissions, bulk, deliveries, incidents, tables
from responder.store.deliveries import Raw
from responder.store.store import Store
from responder.webhook_v4 import read_delivery
from tests.responder.fakes import alert, post

NOW = 1_790_000_000.0
RULES = Rules(policy=Policy(quiet_seconds=3600), channels=("log",), pending_limit=1000)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Open a new database of each kind."""
    with Store(database_url) as opened:
        yield opened


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        """Give the time."""
        return self.now


def intake_on(store: Store, clock: Clock) -> Intake:
    """Give an intake on *store*."""
    return Intake(store, lambda: RULES, clock=clock, wake=lambda: None)


def body(*alerts: dict[str, Any]) -> bytes:
    """Make the bytes of a post."""
    return orjson.dumps(post(*alerts))


def taken(number: int, raw: bytes, at: float) -> Post:
    """Make a post to admit."""
    delivery = read_delivery(raw, at).delivery
    return Post(
        raw=Raw(id=f"post-{number}", kind="alertmanager", received_at=at, body=raw),
        delivery=delivery,
        at=at,
    )


def late(starts_at: float, ends_at: float | None = None, fingerprint: str = "f1") -> Delivery:
    """Make what the comparison learnt of one alert."""
    learnt = Alert(
        fingerprint=fingerprint,
        status=AlertStatus.FIRING if ends_at is None else AlertStatus.RESOLVED,
        labels={"alertname": "A", "target": "chat", "severity": "warning"},
        annotations={},
        starts_at=starts_at,
        ends_at=ends_at,
    )
    return Delivery(group_key="", receiver="", external_url="", truncated=0, alerts=(learnt,))


def compared(clock: Clock, number: int) -> Raw:
    """Make the record that goes with what was learnt."""
    return Raw(id=f"late-{number}", kind="comparison", received_at=clock.now, body=b"{}")


async def stored(store: Store) -> list[tuple[Any, ...]]:
    """Give start, end and lateness of the episodes, the oldest first."""
    columns = tables.episodes.c
    query = sa.select(columns.starts_at, columns.resolved_at, columns.seen_late)
    rows = await store.read(lambda database: database.execute(query).all())
    return sorted(tuple(row) for row in rows)


def told(starts_at: float, ends_at: float | None = None) -> dict[str, Any]:
    """Make what a webhook says of the alert of `late`."""
    made = alert("A", starts_at=starts_at, ends_at=ends_at, severity="warning")
    return made | {"fingerprint": "f1"}


async def test_what_fires_and_was_learnt_otherwise_is_one_episode(store: Store) -> None:
    """It is marked as seen late, and its webhook, which comes after all, doubles nothing."""
    clock = Clock()
    intake = intake_on(store, clock)
    first = await intake.take_late(compared(clock, 1), late(NOW - 90))
    second = await intake.take_late(compared(clock, 2), late(NOW - 90))
    assert (first.has_news, second.has_news) == (True, False)
    await intake.alerts(body(told(NOW - 90)))
    assert await stored(store) == [(NOW - 90, None, 1)]


async def test_what_was_over_unheard_lies_before_what_is_open(store: Store) -> None:
    """An end learnt late neither ends the episode that is open now, nor begins it once more."""
    clock = Clock()
    intake = intake_on(store, clock)
    await intake.alerts(body(told(NOW - 100)))
    gap = await intake.take_late(compared(clock, 1), late(NOW - 900, NOW - 600))
    again = await intake.take_late(compared(clock, 2), late(NOW - 900, NOW - 605))
    assert (gap.has_news, again.has_news) == (True, False)
    clock.now += 60
    await intake.alerts(body(told(NOW - 100)))
    assert await stored(store) == [(NOW - 900, NOW - 600, 1), (NOW - 100, None, 0)]
    await intake.alerts(body(told(NOW - 900, NOW - 600)))
    assert len(await stored(store)) == 2


async def test_an_open_episode_that_is_over_elsewhere_ends(store: Store) -> None:
    """Its resolved post was lost; the incident is resolved with it."""
    clock = Clock()
    intake = intake_on(store, clock)
    await intake.alerts(body(told(NOW - 100)))
    await intake.take_late(compared(clock, 1), late(NOW - 100, NOW - 20))
    assert await stored(store) == [(NOW - 100, NOW - 20, 0)]
    (incident,) = await store.read(lambda database: incidents.newest(database, 5))
    assert incident.resolved_at == NOW - 20


async def test_a_post_read_again_counts_as_of_when_it_came(store: Store) -> None:
    """It leaves quarantine with its alerts stored, once."""
    clock = Clock()
    intake = intake_on(store, clock)
    raw = Raw(
        id="odd", kind="alertmanager", received_at=NOW, body=body(told(NOW - 5)), problem="odd"
    )
    await store.write(lambda database: deliveries.keep(database, raw))
    clock.now += 500
    found = await intake.again("odd")
    assert (found.problem, found.has_news, len(found.alerts)) == (None, True, 1)
    assert (await intake.again("odd")).alerts == ()
    column = tables.episodes.c.first_seen_at
    seen_at = await store.read(lambda database: database.execute(sa.select(column)).scalars().all())
    assert list(seen_at) == [NOW]
    assert await store.read(lambda database: deliveries.quarantined(database, 5)) == []
    (incident,) = await store.read(lambda database: incidents.newest(database, 5))
    assert incident.opened_at == clock.now


async def test_what_still_cannot_be_read_stays_in_quarantine(store: Store) -> None:
    """Neither a body that is no post nor one of which a part is unreadable leaves it."""
    clock = Clock()
    intake = intake_on(store, clock)
    await intake.alerts(b"no post")
    await intake.alerts(orjson.dumps({"alerts": [told(NOW - 5), 7]}))
    kept = await store.read(lambda database: deliveries.quarantined(database, 5))
    assert len(kept) == 2
    for each in kept:
        assert (await intake.again(each.id)).problem
    assert len(await store.read(lambda database: deliveries.quarantined(database, 5))) == 2
    assert len(await stored(store)) == 1
    assert await intake.again("unknown") == await intake.again("nowhere")


async def test_a_post_that_our_code_fails_on_costs_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exception is its own; those before and after it in the batch are stored."""

    def fails(each: Alert, *arguments: Any, **options: Any) -> Placement:
        if each.name == "B":
            raise KeyError("a bug")
        return place(each, *arguments, **options)

    monkeypatch.setattr(responder.admission, "place", fails)
    posts = [
        taken(number, body(alert(name, starts_at=NOW)), NOW) for number, name in enumerate("ABC")
    ]
    outcome = await store.write(lambda database: admit(database, posts, RULES))
    assert [isinstance(each, KeyError) for each in outcome] == [False, True, False]
    assert outcome[0] is outcome[2] is True
    kept = sa.select(tables.deliveries.c.id).order_by(tables.deliveries.c.id)
    ids = await store.read(lambda database: database.execute(kept).scalars().all())
    assert list(ids) == ["post-0", "post-2"]


async def test_a_post_that_the_database_refuses_is_kept_raw(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is quarantined and answered; the others of its batch are stored."""
    clock, keep = Clock(), admissions.Additions.keep

    def break_one(added: admissions.Additions, raw: Raw, delivery: Delivery) -> None:
        nothing: Any = None
        keep(added, replace(raw, kind=nothing) if delivery.group_key == "bad" else raw, delivery)

    monkeypatch.setattr(admissions.Additions, "keep", break_one)
    intake = intake_on(store, clock)
    bodies = [orjson.dumps(post(told(NOW), group=group)) for group in ("good", "bad", "good")]
    results = await asyncio.gather(*(intake.alerts(each) for each in bodies))
    assert [each.problem is None for each in results] == [True, False, True]
    assert len(await store.read(lambda database: deliveries.quarantined(database, 5))) == 1


def stream(seed: int) -> list[tuple[float, bytes]]:
    """Make posts over some minutes: beginnings, re-sends, ends, and several of them in one."""
    chance = random.Random(seed)
    made: list[tuple[float, bytes]] = []
    for _ in range(40):
        at = NOW + len(made) * 3
        alerts = []
        for name in chance.sample("ABCDEF", chance.randint(1, 4)):
            start = NOW - chance.choice([0, 0, 30, -60])
            end = at - 1 if chance.random() < 0.4 and at - 1 > start else None
            how = chance.choice(["warning", "critical", "info"])
            target = chance.choice(["chat", "scorer", ""])
            one = alert(name, starts_at=start, ends_at=end, severity=how, target=target)
            alerts.append(one | {"fingerprint": f"{name}{target}"})
        made.append((at, body(*alerts)))
    return made


def account(connection: Connection) -> Sequence[Any]:
    """Give all that intake wrote, but the ids that it drew."""
    query = sa.text(
        "SELECT e.fingerprint, e.starts_at, e.resolved_at, e.resent, e.first_seen_at,"
        " e.last_seen_at, i.opened_at, i.joined_at, i.state, i.severity_rank, i.resolved_at,"
        " w.state AS turn, w.priority, w.due_at,"
        " (SELECT count(*) FROM incident_log l WHERE l.incident_id = i.id) AS lines,"
        " (SELECT count(*) FROM incident_keys k WHERE k.incident_id = i.id) AS keys,"
        " (SELECT count(*) FROM episode_facts f WHERE f.episode_id = e.id) AS facts"
        " FROM episodes e LEFT JOIN incidents i ON i.id = e.incident_id"
        " LEFT JOIN work w ON w.incident_id = i.id"
        " ORDER BY e.fingerprint, e.first_seen_at, e.starts_at, i.opened_at"
    )
    return [tuple(row) for row in connection.execute(query)]


def _admission(posts: Sequence[Post]) -> Callable[[Connection], Sequence[bool | Exception]]:
    return lambda database: admit(database, posts, RULES)


@pytest.mark.parametrize("seed", range(8))
async def test_a_batch_is_as_its_posts_one_by_one(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    """Forty posts in one transaction, or in forty, leave the same in the store."""
    posts = [taken(number, raw, at) for number, (at, raw) in enumerate(stream(seed))]
    with Store(f"sqlite:///{tmp_path / 'singly.db'}") as singly, Store(database_url) as at_once:
        one_by_one = [(await singly.write(_admission([each])))[0] for each in posts]
        together = await at_once.write(_admission(posts))
        assert list(together) == one_by_one
        assert await at_once.read(account) == await singly.read(account)


async def test_many_targets_of_one_component_cost_each_as_much(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many incidents a post opens on a component: an alert is compared with few of them."""
    compared_with: list[int] = []

    def counts(each: Alert, at: float, known: Sequence[Known], *rest: Any, **how: Any) -> Placement:
        compared_with.append(len(known))
        return place(each, at, known, *rest, **how)

    monkeypatch.setattr(responder.admission, "place", counts)
    names = [f"t{number}" for number in range(300)]
    told_of = [alert("A", starts_at=NOW, target=each, label_service="chat") for each in names]
    again = [alert("B", starts_at=NOW, target=each, label_service="chat") for each in names]
    posts = [
        taken(number, body(*each), NOW + number) for number, each in enumerate((told_of, again))
    ]
    for each in posts:
        await store.write(_admission([each]))
    assert max(compared_with) <= 2 * admissions.MOST_KNOWN
    count = sa.select(sa.func.count()).select_from(tables.incidents)
    assert await store.read(lambda database: database.execute(count).scalar_one()) == 300


async def test_what_is_known_of_incidents_is_known_in_one_question(store: Store) -> None:
    """The batch's own way of asking gives what the incidents' gives."""
    posts = [taken(number, raw, at) for number, (at, raw) in enumerate(stream(1))]
    await store.write(lambda database: admit(database, posts, RULES))
    keys = ("target:chat", "target:scorer", "target:nowhere")

    def both(connection: Connection) -> tuple[list[Any], list[Any]]:
        found = admissions.acquaintance(connection, keys, NOW - 3600)
        theirs = incidents.known(connection, keys, NOW - 3600)
        by_id = sorted(found.incidents.values(), key=lambda each: each.id)
        return by_id, sorted(theirs, key=lambda each: each.id)

    ours, theirs = await store.read(both)
    assert ours == theirs
    assert ours


@pytest.mark.parametrize(
    "table", ["deliveries", "incidents", "incident_log", "episodes", "episode_facts", "work"]
)
def test_a_row_has_every_column_that_must_be_given(table: str) -> None:
    """A column that is added to a table without a default is not forgotten here."""
    written = {
        each.sqlite.split()[2]: set(each.columns)
        for each in vars(admissions).values()
        if isinstance(each, bulk.Bulk) and each.sqlite.startswith("INSERT")
    }
    needed = {
        column.name
        for column in tables.metadata.tables[table].columns
        if not column.nullable
        and column.server_default is None
        and column.autoincrement is not True
    }
    assert needed <= written[table]
