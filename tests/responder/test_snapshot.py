"""What a scrape reads of the store: queues, ages, and the ledger of what is lost, on both kinds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from responder.store import losses, migrate
from responder.store.engine import open_engine
from responder.store.snapshot import Observer, Snapshot
from responder.store.tables import (
    deliveries,
    episodes,
    incidents,
    outbox,
    replicas,
    reports,
    work,
)

KINDS = {"episode", "incident", "work", "report", "message"}
REPORT = {"causes": [{"kind": "hung_engine", "component": "chat"}], "decision": {"kind": "page"}}


class Ground:
    """A migrated database and how to put rows into it, each with what it must have."""

    def __init__(self, engine: Engine) -> None:
        """Take now as the time of all that follows."""
        self.engine = engine
        self.now = time.time()

    def put(self, table: sa.Table, **values: Any) -> None:
        """Insert a row."""
        with self.engine.begin() as connection:
            connection.execute(sa.insert(table), values)

    def incident(self, name: str, state: str, **values: Any) -> None:
        """Insert an incident."""
        given = {"opened_at": self.now, "joined_at": self.now, "reason": "", "severity_rank": 1}
        self.put(incidents, id=name, state=state, **given | values)

    def episode(self, name: str, alertname: str = "Odd", **values: Any) -> None:
        """Insert an episode."""
        seen = {"first_seen_at": self.now, "last_seen_at": self.now, "starts_at": self.now}
        labels = {"alertname": alertname, "target": "chat"}
        given = {"seen_late": False, "alert": {"labels": labels}, "fingerprint": name}
        self.put(episodes, id=name, alertname=alertname, **seen | given | values)

    def work(self, incident: str, state: str, **values: Any) -> None:
        """Insert a piece of work."""
        given = {"priority": 1, "due_at": self.now, "created_at": self.now, "owner": ""}
        self.put(work, id=f"{incident}-1", incident_id=incident, state=state, **given | values)

    def replica(self, name: str, *, beat_ago: float, started_ago: float = 1000) -> None:
        """Insert a replica that last had a heartbeat so many seconds ago."""
        given = {"started_at": self.now - started_ago, "heartbeat_at": self.now - beat_ago}
        self.put(replicas, id=name, name=name, version="test", dead_after_seconds=15.0, **given)

    def report(self, incident: str, **values: Any) -> None:
        """Insert a report."""
        stands_on = {"report": REPORT, "evidence": [], "suspects": [], "disproofs": []}
        given = {"created_at": self.now, **stands_on}
        self.put(reports, id=f"{incident}-r1", incident_id=incident, **given | values)

    def message(self, incident: str, **values: Any) -> None:
        """Insert a message."""
        given = {"event": "reported", "status": "delivered", "channel": "chatops"}
        times = {"created_at": self.now, "due_at": self.now}
        named = {"idempotency_key": incident, "report_id": f"{incident}-r1"}
        self.put(outbox, incident_id=incident, **named | given | times | values)

    def look(self) -> Snapshot:
        """Take a snapshot."""
        with self.engine.begin() as connection:
            return Observer().take(connection, self.now)

    def lost(self, **options: Any) -> dict[str, int]:
        """Give what is lost, the kinds of which nothing is left out."""
        with self.engine.begin() as connection:
            found = losses.unaccounted(connection, self.now, **options)
        assert set(found) == KINDS
        return {kind: count for kind, count in found.items() if count}


@pytest.fixture
def ground(database_url: str) -> Iterator[Ground]:
    """Give a new, migrated database."""
    engine = open_engine(database_url)
    migrate.to_newest(engine)
    yield Ground(engine)
    engine.dispose()


def test_nothing_is_lost_in_an_empty_store(ground: Ground) -> None:
    """A new store has lost nothing, and says so for each kind."""
    assert ground.lost() == {}


def test_an_episode_without_an_incident_is_lost(ground: Ground) -> None:
    """An episode belongs to an incident, save the watchdog's."""
    ground.incident("a", "closed")
    ground.episode("placed", incident_id="a")
    ground.episode("heartbeat", "VigieWatchdog", incident_id=None)
    assert ground.lost() == {}

    ground.episode("stray", incident_id=None)

    assert ground.lost() == {"episode": 1}


@pytest.mark.parametrize("state", ["waiting", "investigating"])
def test_an_incident_that_nobody_works_on_is_lost(ground: Ground, state: str) -> None:
    """What is to be investigated has work that waits or runs."""
    ground.incident("waits", state)
    ground.work("waits", "waiting")
    ground.incident("over", "closed")
    assert ground.lost() == {}

    ground.incident("forgotten", state)
    ground.work("forgotten", "done")

    assert ground.lost() == {"incident": 1}


def test_work_under_a_dead_replica_is_lost_once_another_had_time_to_take_it(
    ground: Ground,
) -> None:
    """Work whose owner is silent for long, or gone, is lost; within the takeover it is not."""
    for name in ("alive", "silent", "gone"):
        ground.incident(name, "investigating")
        ground.work(name, "running", owner=name)
    ground.replica("alive", beat_ago=1)
    ground.replica("silent", beat_ago=60)
    ground.replica("gone", beat_ago=60)
    assert ground.lost() == {}

    with ground.engine.begin() as connection:
        connection.execute(sa.delete(replicas).where(replicas.c.id == "gone"))
        connection.execute(
            sa.update(replicas)
            .where(replicas.c.id == "silent")
            .values(heartbeat_at=ground.now - 600)
        )

    assert ground.lost() == {"work": 2}
    ground.incident("given back", "investigating")
    ground.work("given back", "running", owner="")
    assert ground.lost() == {"work": 2}


def test_work_left_by_the_process_before_is_not_lost_while_the_next_one_starts(
    ground: Ground,
) -> None:
    """A process that has just started is given the time to take what was left."""
    ground.incident("left", "investigating")
    ground.work("left", "running", owner="dead")
    ground.replica("new", beat_ago=0, started_ago=5)

    assert ground.lost() == {}


def test_a_report_that_is_not_there_is_lost(ground: Ground) -> None:
    """An incident that is said to be reported has its report."""
    ground.incident("told", "reported")
    ground.report("told")
    assert ground.lost() == {}

    ground.incident("untold", "reported")

    assert ground.lost() == {"report": 1}


def test_a_report_that_no_channel_gets_is_lost(ground: Ground) -> None:
    """While channels are in use, each report is a message; before and without them it is none."""
    for name, ago in (("before", 5000), ("sent", 3000), ("unsent", 1000)):
        ground.incident(name, "reported")
        ground.report(name, created_at=ground.now - ago)
    assert ground.lost() == {}

    ground.message("sent", created_at=ground.now - 3000)

    assert ground.lost() == {"message": 1}
    assert ground.lost(has_channels=False) == {}


def test_work_is_counted_by_state_and_severity(ground: Ground) -> None:
    """Each state and severity has its number and the age of its oldest, also when it has none."""
    for name, state, priority, ago in (
        ("a", "waiting", 0, 30),
        ("b", "waiting", 0, 90),
        ("c", "running", 1, 10),
        ("d", "done", 0, 500),
    ):
        ground.incident(name, "waiting" if state == "waiting" else "investigating")
        ground.work(name, state, priority=priority, created_at=ground.now - ago)

    found = {
        key: (queue.pending, round(queue.age_seconds(ground.now)))
        for key, queue in ground.look().work.items()
    }

    assert found == {
        ("waiting", "critical"): (2, 90),
        ("waiting", "warning"): (0, 0),
        ("waiting", "info"): (0, 0),
        ("running", "critical"): (0, 0),
        ("running", "warning"): (1, 10),
        ("running", "info"): (0, 0),
    }


def test_quarantine_counts_what_was_not_read_since(ground: Ground) -> None:
    """A post that was read again after an upgrade is in quarantine no more."""
    given = {"kind": "alertmanager", "body": b"{", "group_key": "", "receiver": ""}
    for name, problem, read_at, ago in (
        ("fine", None, None, 900),
        ("odd", "no JSON", None, 60),
        ("older", "no JSON", None, 200),
        ("read", "no JSON", ground.now, 800),
    ):
        times = {"received_at": ground.now - ago, "requeued_at": read_at}
        ground.put(deliveries, id=name, problem=problem, external_url="", **given | times)

    queue = ground.look().quarantine

    assert queue.pending == 2
    assert queue.age_seconds(ground.now) == pytest.approx(200)


def test_only_replicas_with_a_heartbeat_in_time_are_alive(ground: Ground) -> None:
    """On PostgreSQL the silent ones are not counted; on SQLite nobody else can be there."""
    ground.replica("here", beat_ago=1)
    if ground.engine.dialect.name == "postgresql":
        ground.replica("silent", beat_ago=100)

    assert ground.look().replicas_alive == 1


def test_reports_are_named_with_their_first_cause(ground: Ground) -> None:
    """A report's title has the lead alert, the target, the first cause and the decision."""
    ground.incident("a", "reported")
    ground.episode("second", "Late", incident_id="a", starts_at=ground.now)
    ground.episode("first", "Early", incident_id="a", starts_at=ground.now - 5)
    ground.report("a")
    ground.incident("bare", "reported")
    ground.report("bare", created_at=ground.now - 5, report=REPORT | {"causes": []})
    ground.incident("old", "reported")
    ground.report("old", created_at=ground.now - 2 * 86400)

    one, two = ground.look().reports

    assert (one.report_id, one.alertname, one.target) == ("a-r1", "Early", "chat")
    assert (one.cause, one.component, one.decision) == ("hung_engine", "chat", "page")
    assert (two.report_id, two.alertname, two.cause) == ("bare-r1", "", "")


def test_titles_are_read_once(ground: Ground) -> None:
    """A later snapshot names the same reports without reading them again, and new ones too."""
    ground.incident("a", "reported")
    ground.report("a")
    observer = Observer()
    with ground.engine.begin() as connection:
        observer.take(connection, ground.now)
        connection.execute(sa.update(reports).values(report={"decision": {"kind": "other"}}))
    ground.incident("b", "reported")
    ground.report("b", created_at=ground.now + 1)

    with ground.engine.begin() as connection:
        shown = observer.take(connection, ground.now).reports

    assert [(each.report_id, each.decision) for each in shown] == [
        ("b-r1", "page"),
        ("a-r1", "page"),
    ]


def test_the_watchdog_is_heard_whoever_took_its_post(ground: Ground) -> None:
    """Replicas share the store: the latest post counts, whichever of them it came to."""
    assert ground.look().watchdog_last_seen_at is None

    for name, ago in (("one", 500), ("two", 100), ("three", 900)):
        ground.episode(name, "VigieWatchdog", incident_id=None, last_seen_at=ground.now - ago)
    ground.episode("other", incident_id=None, last_seen_at=ground.now)

    assert ground.look().watchdog_last_seen_at == pytest.approx(ground.now - 100)
