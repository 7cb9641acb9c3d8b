"""Couriers: horizons, destinations, clocks put back, replicas, and channels that go away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from responder.channel import ChannelSettings, Delivered, Message, Rejected, Retry
from responder.incident import IncidentState
from responder.metrics import Metrics
from responder.outbox import Couriers
from responder.store import incidents, outbox, replicas, reports, tables
from responder.store.engine import Connection
from responder.store.incidents import Opening
from responder.store.outbox import Notice
from responder.store.replicas import Presence
from responder.store.reports import Dossier
from responder.store.store import Store
from responder.store.tables import metadata
from tests.responder.channels.messages import report
from tests.responder.conftest import eventually
from toolkit.lifecycle import Supervisor

NEVER = Retry(problem="told to fail")


@dataclass(kw_only=True)
class Scripted:
    """A channel to the given places, which does as it is told for each of them."""

    places: tuple[str, ...] = ("",)
    horizon: float = 3600.0
    name: str = "scripted"
    outcomes: dict[str, list[Delivered | Retry | Rejected]] = field(default_factory=dict)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)
    sent: list[Message] = field(default_factory=list)

    def destinations(self) -> tuple[str, ...]:
        """Give the places."""
        return self.places

    async def send(
        self, message: Message, session: aiohttp.ClientSession, deadline_seconds: float
    ) -> Delivered | Retry | Rejected:
        """Note the message; wait or fail where that is the script."""
        del session, deadline_seconds
        self.sent.append(message)
        if message.destination in self.hold:
            await self.hold[message.destination].wait()
        told = self.outcomes.get(message.destination)
        return told.pop(0) if told else Delivered(reference=f"ref {len(self.sent)}")

    def events(self, place: str = "") -> list[str]:
        """Give the events that were sent to a place."""
        return [each.event for each in self.sent if each.destination == place]


@dataclass(kw_only=True)
class Post:
    """A store with an outbox, and couriers on it."""

    store: Store
    offset_seconds: float = 0.0
    metrics: Metrics = field(default_factory=lambda: Metrics(version="test"))

    def clock(self) -> float:
        """Give the time by a clock that can be put back."""
        return time.time() + self.offset_seconds

    async def add(self, incident: str, event: str, channel: Scripted, age: float = 0.0) -> None:
        """Put a message into the outbox, and its report if it is not there."""
        at = self.clock() - age
        addresses = [outbox.address(channel.name, place) for place in channel.places]

        def store(database: Connection) -> None:
            if incidents.get(database, incident) is None:
                opening = Opening(
                    id=incident, at=at, state=IncidentState.REPORTED, reason="", severity_rank=1
                )
                incidents.open_new(database, opening)
                changes = {"id": f"{incident}-r1", "incident": incident}
                written = report().model_copy(update=changes)
                reports.add(
                    database, Dossier(report=written, evidence=(), suspects=(), disproofs=())
                )
            notice = Notice(incident_id=incident, report_id=f"{incident}-r1", event=event, at=at)
            outbox.add(database, addresses, notice)

        await self.store.write(store)

    async def rows(self) -> list[sa.Row[Any]]:
        """Give the outbox."""
        table = metadata.tables["outbox"]
        query = sa.select(table).order_by(table.c.id)
        return await self.store.read(lambda database: list(database.execute(query)))

    async def settled(self, *statuses: str) -> None:
        """Wait until the rows stand so."""

        async def ask() -> bool:
            return tuple(row.status for row in await self.rows()) == statuses

        await eventually(ask)

    @asynccontextmanager
    async def couriers(
        self,
        replica_id: str = "a",
        *,
        is_alone: bool = True,
        clock: Callable[[], float] | None = None,
    ) -> AsyncIterator[Couriers]:
        """Give couriers on the store, of a replica that is alive."""
        presence = Presence(id=replica_id, name=replica_id, version="", dead_after_seconds=600)
        await self.store.write(lambda database: replicas.beat(database, presence))
        async with aiohttp.ClientSession() as session:
            yield Couriers(
                self.store,
                session,
                self.metrics,
                clock=clock or self.clock,
                page_url=lambda name: f"http://vigie.example/incidents/{name}",
                replica_id=replica_id,
                is_alone=is_alone,
            )

    @asynccontextmanager
    async def serving(
        self, channel: Scripted, replica_id: str = "a", *, is_alone: bool = True
    ) -> AsyncIterator[Couriers]:
        """Run a courier of the channel."""
        async with self.couriers(replica_id, is_alone=is_alone) as couriers:
            task = asyncio.create_task(couriers.run(channel))
            try:
                yield couriers
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def counted(self, family: str, **labels: str) -> float | None:
        """Give the value of a counter."""
        return self.metrics.registry.get_sample_value(f"vigie_responder_{family}_total", labels)


@pytest.fixture
async def post(database_url: str) -> AsyncIterator[Post]:
    """Open a store on each database."""
    store = Store(database_url)
    yield Post(store=store)
    store.close()


async def test_a_place_that_hangs_delays_no_other(post: Post) -> None:
    """Each destination has a row, a key and a courier of its own."""
    channel = Scripted(places=("a", "b"), hold={"a": asyncio.Event()})
    await post.add("one", "reported", channel)
    await post.add("two", "reported", channel)
    async with post.serving(channel):
        await post.settled("pending", "delivered", "pending", "delivered")
    assert channel.events("a") == ["reported"]
    assert len({row.idempotency_key for row in await post.rows()}) == 4


async def test_what_was_not_delivered_by_its_horizon_is_given_up(post: Post) -> None:
    """It is tried once more when it is past its time, then it is expired, and counted."""
    channel = Scripted(outcomes={"": [NEVER]}, horizon=60)
    await post.add("one", "reported", channel, age=61)
    await post.add("one", "resolved", channel)
    async with post.serving(channel):
        await post.settled("expired", "delivered")
    assert post.counted("outbox_expired", channel="scripted") == 1
    assert (await post.rows())[0].problem == "told to fail"


async def test_what_waited_while_we_were_down_is_still_delivered(post: Post) -> None:
    """A message is not given up for its age alone."""
    channel = Scripted(horizon=60)
    await post.add("one", "reported", channel, age=9000)
    async with post.serving(channel):
        await post.settled("delivered")
    assert post.counted("outbox_expired", channel="scripted") == 0


async def test_a_clock_put_back_makes_nothing_wait(post: Post) -> None:
    """What was put off by a clock that ran ten minutes ahead is due at once."""
    channel = Scripted(outcomes={"": [Retry(problem="later", after_seconds=50)]})
    post.offset_seconds = 600
    await post.add("one", "reported", channel)
    async with post.serving(channel):

        async def put_off() -> bool:
            return bool((await post.rows())[0].problem == "later")

        await eventually(put_off)
    post.offset_seconds = 0
    async with post.serving(channel):
        await post.settled("delivered")
    assert [each.earlier_attempts for each in channel.sent] == [0, 1]
    assert len({each.idempotency_key for each in channel.sent}) == 1


async def test_what_follows_knows_where_the_first_is(post: Post) -> None:
    """The reference of the first delivery to a place comes with what follows there."""
    channel = Scripted(places=("a", "b"))
    await post.add("one", "reported", channel)
    async with post.serving(channel) as couriers:
        await post.settled("delivered", "delivered")
        await post.add("one", "resolved", channel)
        couriers.wake()
        await post.settled(*["delivered"] * 4)
    given = {each.destination: each.reference for each in channel.sent if each.event == "resolved"}
    assert sorted(given.values()) == ["ref 1", "ref 2"]


async def test_a_problem_shows_no_secret(post: Post) -> None:
    """What a channel says of its failure is masked and cut before it is stored."""
    problem = f"x: token=xoxb-1234567890-secretsecret\x1b[0m\n{'y' * 999}"
    channel = Scripted(outcomes={"": [Rejected(problem=problem)]})
    await post.add("one", "reported", channel)
    async with post.serving(channel):
        await post.settled("rejected")
    stored = (await post.rows())[0].problem
    assert "secretsecret" not in stored
    assert "\n" not in stored
    assert len(stored) <= 320


def spoil(database: Connection, incident: str) -> None:
    """Make a stored report one that today's program cannot read."""
    table = metadata.tables["reports"]
    mine = table.c.incident_id == incident
    written = database.execute(sa.select(table.c.report).where(mine)).scalar_one()
    odd = written | {"decision": {"kind": "a kind of tomorrow", "reasons": []}}
    database.execute(sa.update(table).where(mine).values(report=odd))


async def test_a_report_that_cannot_be_read_delays_no_other(post: Post) -> None:
    """It waits with its problem, as what another version can read, and the others are sent."""
    channel = Scripted()
    for incident in ("odd", "one", "two"):
        await post.add(incident, "reported", channel)
    await post.store.write(lambda database: spoil(database, "odd"))
    async with post.serving(channel):
        await post.settled("pending", "delivered", "delivered")
    odd = (await post.rows())[0]
    assert odd.problem == "outbox: its report or incident cannot be read (ValidationError)"
    assert odd.attempts == 1
    assert odd.due_at > odd.created_at
    assert post.counted("outbox_failures", channel="scripted") == 1


async def test_a_report_that_cannot_be_read_until_its_horizon_is_given_up(post: Post) -> None:
    """It is shown as expired, and counted."""
    channel = Scripted(horizon=60)
    await post.add("odd", "reported", channel, age=61)
    await post.store.write(lambda database: spoil(database, "odd"))
    async with post.serving(channel):
        await post.settled("expired")
    assert not channel.sent
    assert post.counted("outbox_expired", channel="scripted") == 1


async def test_a_courier_that_met_a_passing_fault_is_started_again(post: Post) -> None:
    """What nobody foresaw is counted, and the messages go out all the same."""
    channel = Scripted(places=("a", "b"))
    await post.add("one", "reported", channel)
    faults = [RuntimeError("a passing fault")]

    def clock() -> float:
        if faults:
            raise faults.pop()
        return time.time()

    async with post.couriers(clock=clock) as couriers, Supervisor() as supervisor:
        supervisor.spawn("courier", couriers.run, channel)
        await post.settled("delivered", "delivered")
        assert supervisor.deaths() == {"courier": 1}
    assert not faults


async def test_a_channel_removed_while_a_report_was_written(post: Post) -> None:
    """What comes into the outbox for a channel that is gone is closed with its reason."""
    channel, known = Scripted(name="gone"), Scripted(name="known", outcomes={"": [NEVER] * 99})
    async with post.serving(known) as couriers, AsyncExitStack() as stack:
        task = asyncio.create_task(couriers.sweep(lambda: ("known",)))
        stack.callback(task.cancel)
        await asyncio.sleep(0.1)
        await post.add("one", "reported", channel)
        await post.add("two", "reported", known)
        couriers.wake()
        await post.settled("rejected", "pending")
    assert (await post.rows())[0].problem == outbox.GONE


async def test_another_replica_may_know_the_channel(post: Post) -> None:
    """While configurations are rolled out, a new message for another's channel is left alone."""
    channel = Scripted(name="theirs")
    await post.add("one", "reported", channel, age=30)
    await post.add("two", "reported", channel, age=900)
    async with post.serving(Scripted(name="ours"), is_alone=False) as couriers:
        await couriers.give_up(["ours"])
    assert [row.status for row in await post.rows()] == ["pending", "rejected"]


async def test_one_replica_serves_a_channel(post: Post, request: pytest.FixtureRequest) -> None:
    """The other waits, and takes over what was in flight under its key when the first is dead."""
    if request.node.callspec.params["database_url"] == "sqlite":
        assert await post.store.write(lambda database: replicas.hold(database, "courier x", "b"))
        return
    frozen = Scripted(hold={"": asyncio.Event()})
    other = Scripted()
    await post.add("one", "reported", frozen)
    async with post.serving(frozen, "a", is_alone=False):
        await eventually(_has_sent(frozen))
        async with post.serving(other, "b", is_alone=False):
            await asyncio.sleep(1.5)
            assert not other.sent  # while a is alive
            await post.store.write(_let_a_die)
            await post.settled("delivered")
        assert other.sent[0].idempotency_key == frozen.sent[0].idempotency_key
        assert other.sent[0].earlier_attempts == 1
        frozen.outcomes[""] = [NEVER]
        frozen.hold[""].set()
        await asyncio.sleep(0.5)
    assert [row.status for row in await post.rows()] == ["delivered"]


def _has_sent(channel: Scripted) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return bool(channel.sent)

    return ask


def _let_a_die(connection: Connection) -> None:
    table = tables.replicas
    long_ago = sa.update(table).where(table.c.id == "a").values(heartbeat_at=0)
    connection.execute(long_ago)


def test_the_settings_have_a_horizon() -> None:
    """A day, unless it is configured."""
    assert ChannelSettings().horizon == 86_400
