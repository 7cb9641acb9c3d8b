"""Streams of alerts for property tests: what happens, and the store that it happens to."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy import Connection

from responder import admission
from responder.incident import Incident, IncidentState, Policy
from responder.intake import Intake
from responder.investigation.evidence import CauseKind, Suspect
from responder.investigation.report import (
    Cause,
    Confidence,
    Decision,
    DecisionKind,
    Impact,
    Report,
    Spend,
)
from responder.metrics import Metrics
from responder.settlement import close_resolved
from responder.store import incidents, work
from responder.store.deliveries import Raw
from responder.store.incidents import Entry
from responder.store.reports import Dossier
from responder.store.store import Store
from responder.store.tables import metadata
from responder.webhook_v4 import read_delivery
from responder.workflows import Arrangement, Inquiry
from tests.responder.fakes import ScriptedInvestigation, alert, post

T = TypeVar("T")

CHANNELS = ("one", "two")
POLICY = Policy(components={"chat": "engine"})
OWNER = "replica"
RULES = admission.Rules(policy=POLICY, channels=CHANNELS, pending_limit=1000)
ARRANGED = Arrangement(
    investigation=ScriptedInvestigation(),
    channels=CHANNELS,
    stage_seconds=1,
    investigation_seconds=1,
    policy=POLICY,
)
EPOCH = 1_700_000_000.0
POOL: tuple[dict[str, str], ...] = (
    {"name": "Hung", "severity": "critical", "target": "chat"},
    {"name": "Hung", "severity": "critical", "target": "chat", "instance": "b"},
    {"name": "Slow", "severity": "warning", "target": "chat"},
    {"name": "Slow", "severity": "warning", "target": "chat", "instance": "b"},
    {"name": "Slow", "severity": "critical", "target": "chat", "instance": "c"},
    {"name": "Queue", "severity": "warning", "target": "", "service": "engine"},
    {"name": "Slow", "severity": "info", "target": "other"},
    {"name": "Odd", "severity": "warning", "target": ""},
    {"name": "VigieWatchdog", "severity": "info", "target": ""},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """Alerts of the pool that one delivery tells of, each as firing or over."""

    told: tuple[tuple[int, bool], ...]
    skew_seconds: float = 0
    is_doubled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """A post of before, late: a retry, or the other Alertmanager."""

    back: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """Time that goes by, or a clock that is put back."""

    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Begin:
    """The next investigation begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finish:
    """The investigation that runs longest is reported with the cause of that number."""

    cause: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancel:
    """What is over while it is investigated is given up."""


Happening = Post | Again | Tick | Begin | Finish | Cancel

# As Alertmanager does, a post tells of each alert once.
_TOLD = st.lists(
    st.tuples(st.integers(0, len(POOL) - 1), st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=lambda told: told[0],
).map(tuple)
POSTS = st.builds(
    Post, told=_TOLD, skew_seconds=st.sampled_from([0, 0, -30, 45]), is_doubled=st.booleans()
)
HAPPENINGS = st.one_of(
    POSTS,
    POSTS,
    st.builds(Again, back=st.integers(0, 6)),
    st.builds(Tick, seconds=st.sampled_from([1, 10, 61, 130, 400, 1000, 3700, -600])),
    st.just(Begin()),
    st.builds(Finish, cause=st.integers(0, 2)),
    st.just(Cancel()),
)
_NUMBERS = st.integers(0, len(POOL) - 2)
_CAUSES = st.integers(0, 2)
_GAPS = st.sampled_from([5, 90, 200, 500, 1000, 2000])


def _round(number: int, cause: int, gap_seconds: float) -> tuple[Happening, ...]:
    """Give an alert from firing through its report to its end, and time until the next."""
    fires, ends = (Post(told=((number, is_firing),)) for is_firing in (True, False))
    looked_at = Tick(seconds=20), Begin(), Finish(cause=cause)
    return fires, *looked_at, ends, Tick(seconds=gap_seconds)


def _pair(one: int, other: int, cause: int) -> tuple[Happening, ...]:
    """Give two alerts that are investigated at once and blame the same."""
    fires = Post(told=((one, True),)), Post(told=((other, True),))
    return *fires, Tick(seconds=20), Begin(), Begin(), Finish(cause=cause), Finish(cause=cause)


# Left to chance alone, hardly a stream would come to a report, and none would flap or merge.
_SCENES = st.one_of(
    HAPPENINGS.map(lambda happening: (happening,)),
    st.builds(_round, _NUMBERS, _CAUSES, _GAPS),
    st.builds(
        lambda number, cause, gap, times: _round(number, cause, gap) * times,
        *(_NUMBERS, _CAUSES, _GAPS, st.integers(2, 6)),
    ),
    st.builds(_pair, _NUMBERS, _NUMBERS, _CAUSES),
)
STREAMS = st.lists(_SCENES, min_size=1, max_size=8).map(
    lambda scenes: [happening for scene in scenes for happening in scene]
)


@dataclass(kw_only=True, slots=True)
class World:
    """A store with intake before it and investigations behind it, at a time of our own."""

    store: Store
    runner: asyncio.Runner
    now: float = EPOCH
    starts: dict[int, float] = field(default_factory=dict)
    ends: dict[int, float] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    running: list[tuple[str, Incident]] = field(default_factory=list)
    metrics: Metrics = field(default_factory=lambda: Metrics(version="test"))

    def happen(self, happening: Happening) -> None:
        """Let one thing happen."""
        match happening:
            case Post():
                self.bodies.append(self.body(happening))
                for _ in range(1 + happening.is_doubled):
                    self.deliver(self.bodies[-1])
            case Again():
                for body in self.bodies[-1 - happening.back :][:1]:
                    self.deliver(body)
            case Tick():
                self.now += happening.seconds
            case Begin():
                self.begin()
            case Finish():
                self.finish(happening.cause)
            case Cancel():
                self.cancel()

    def deliver(self, body: bytes) -> None:
        """Post a body the way it comes from outside."""
        intake = Intake(self.store, lambda: RULES, clock=lambda: self.now, wake=lambda: None)
        taken = self.runner.run(intake.alerts(body))
        assert taken.problem is None

    def deliver_together(self, bodies: Sequence[bytes]) -> None:
        """Post bodies that share one batch."""
        posts = [
            admission.Post(
                raw=Raw(id=uuid.uuid4().hex, kind="alertmanager", received_at=self.now, body=body),
                delivery=read_delivery(body, self.now).delivery,
                at=self.now,
            )
            for body in bodies
        ]
        outcomes = self.write(lambda connection: admission.admit(connection, posts, RULES))
        assert not [each for each in outcomes if isinstance(each, Exception)]

    def begin(self) -> None:
        """Begin the next investigation as the workflow does; one at a time per incident."""
        claimed = self.write(self._claim)
        if claimed is not None:
            self.running.append(claimed)

    def finish(self, cause: int) -> None:
        """Report what has been investigated longest."""
        if not self.running:
            return
        task_id, incident = self.running.pop(0)
        inquiry = Inquiry(
            self.store,
            lambda: ARRANGED,
            self.metrics,
            clock=lambda: self.now,
            reported=lambda: None,
            replica_id=OWNER,
        )
        dossier = reported(incident, cause, self.now)
        self.runner.run(inquiry.close(task_id, incident, dossier, 0.0))

    def cancel(self) -> None:
        """Give up what is over."""
        self.running = [each for each in self.running if not self.write(partial(self._close, each))]

    def _claim(self, connection: Connection) -> tuple[str, Incident] | None:
        waiting = self._waiting(connection)
        seeker = work.Seeker(owner=OWNER, busy_with=frozenset(each for each, _ in self.running))
        task = work.claim(connection, self.now, seeker)
        if task is None:
            return None
        due = [
            row.priority
            for row in waiting
            if row.due_at <= self.now or row.due_set_at > self.now + 1
        ]
        (chosen,) = [row for row in waiting if row.id == task.id]
        assert chosen.priority == min(due, default=chosen.priority)
        entry = Entry(at=self.now, event="investigating", text="its turn has come")
        incidents.set_state(connection, task.incident_id, IncidentState.INVESTIGATING, entry)
        incident = incidents.get(connection, task.incident_id)
        assert incident is not None
        return task.id, incident

    def _close(self, running: tuple[str, Incident], connection: Connection) -> bool:
        task_id, incident = running
        is_closed = close_resolved(connection, incident.id, self.now)
        if is_closed:
            work.finish(connection, task_id, self.now, OWNER, state=work.DROPPED)
        return is_closed

    def drain(self) -> None:
        """Let everything have its turn and its report."""
        self.now += 10_000
        while True:
            self.begin()
            if not self.running:
                return
            self.finish(2)

    def write(self, job: Callable[[Connection], T]) -> T:
        """Write to the store."""
        return self.runner.run(self.store.write(job))

    def read(self, query: Callable[[Connection], T]) -> T:
        """Read from the store."""
        return self.runner.run(self.store.read(query))

    def rows(self, name: str) -> Sequence[sa.Row[Any]]:
        """Give every row of a table."""
        table = metadata.tables[name]
        keys = [*table.primary_key.columns]
        return self.read(lambda database: database.execute(sa.select(table).order_by(*keys)).all())

    def empty(self) -> None:
        """Take everything out of the store."""

        def delete(connection: Connection) -> None:
            for name in ("merged_into", "occurrence_of"):
                connection.execute(sa.update(metadata.tables["incidents"]).values({name: None}))
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))

        self.write(delete)

    def _waiting(self, connection: Connection) -> Sequence[sa.Row[Any]]:
        table = metadata.tables["work"]
        query = sa.select(table).where(table.c.state == work.WAITING)
        return connection.execute(query).all()

    def body(self, happening: Post) -> bytes:
        """Give what Alertmanager would post now."""
        told = [self._alert(number, is_firing, happening) for number, is_firing in happening.told]
        return orjson.dumps(post(*told, group=f"g{happening.told[0][0]}"))

    def _alert(self, number: int, is_firing: bool, happening: Post) -> dict[str, Any]:  # noqa: FBT001 - as drawn
        at = self.now + happening.skew_seconds
        labels = dict(POOL[number])
        if number not in self.starts or (is_firing and number in self.ends):
            self.starts[number] = at
            self.ends.pop(number, None)
        if not is_firing:
            self.ends.setdefault(number, max(at, self.starts[number]))
        ends_at = None if is_firing else self.ends[number]
        return alert(labels.pop("name"), starts_at=self.starts[number], ends_at=ends_at, **labels)


def reported(incident: Incident, cause: int, at: float) -> Dossier:
    """Make a report that blames a component: 0 and 1 the same for all, 2 nothing known."""
    kind = CauseKind.UNKNOWN if cause == 2 else CauseKind.HUNG_ENGINE
    first = Cause(
        component=f"component {cause}", kind=kind, confidence=Confidence.MEDIUM, claims=()
    )
    suspect = Suspect(
        component=first.component,
        kind=kind,
        score=1,
        onset_at=incident.lead.alert.starts_at,
        explanation="",
    )
    report = Report(
        id=f"{incident.id}-r1",
        incident=incident.id,
        created_at=at,
        headline="it hangs",
        summary=(),
        impact=Impact(),
        causes=(first,),
        timeline=(),
        ruled_out=(),
        unverified=(),
        actions=(),
        coverage=(),
        decision=Decision(kind=DecisionKind.WATCH, reasons=()),
        analyst="scripted",
        partial=False,
        notes=(),
        spend=Spend(),
        seconds=0,
    )
    suspects = [suspect.model_dump(mode="json")]
    return Dossier(report=report, evidence=(), suspects=suspects, disproofs=())
