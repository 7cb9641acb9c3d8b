"""The investigation as durable steps: each stage's result is stored before the next begins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog

from responder.alert import Change
from responder.durable import step
from responder.incident import Incident, IncidentState
from responder.investigation.analyst import Brief
from responder.investigation.evidence import Evidence, Frame, Window
from responder.investigation.report import Draft, Report
from responder.investigation.stages import Disproof, Gathered, Ranked
from responder.metrics import Metrics
from responder.settlement import announce_resolution, part, settle
from responder.store import deliveries, incidents, outbox, reports, work
from responder.store.engine import Connection, StoreUnavailableError
from responder.store.incidents import Entry
from responder.store.reports import Dossier
from responder.store.store import Store

log = structlog.get_logger(__name__)

T = TypeVar("T")

_CHANGES_BEFORE_SECONDS = 6 * 3600.0
_MOST_CHANGES = 100
_FIRST_PATIENCE_SECONDS = 0.1
_LONGEST_PATIENCE_SECONDS = 5.0


class Investigation(Protocol):
    """The stages of an investigation, as the workflow calls them."""

    async def gather(self, incident: Incident, changes: Sequence[Change]) -> Gathered:
        """Look at everything; never raises for what a source does."""
        ...

    def rank(self, incident: Incident, gathered: Gathered, changes: Sequence[Change]) -> Ranked:
        """Rank the suspects."""
        ...

    async def disprove(
        self, incident: Incident, gathered: Gathered, ranked: Ranked
    ) -> tuple[tuple[Disproof, ...], tuple[Evidence, ...]]:
        """Try to disprove the first suspects."""
        ...

    async def analyse(self, brief: Brief) -> Draft:
        """Write a draft; never raises."""
        ...

    def conclude(  # noqa: PLR0913 - the contract of the investigation
        self,
        brief: Brief,
        draft: Draft,
        disproofs: Sequence[Disproof],
        *,
        report_id: str,
        started_at: float,
        now: float,
    ) -> Report:
        """Ground the draft and compose the report."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrangement:
    """What investigations go by; read anew for each stage, so that a reload reaches it."""

    investigation: Investigation
    channels: tuple[str, ...]
    stage_seconds: float
    investigation_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """An incident as it was when its investigation began."""

    investigation_id: str
    incident: Incident
    changes: tuple[Change, ...]
    started_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What the stages before have found, as they stored it."""

    gathered: Mapping[str, Any]
    ranked: Mapping[str, Any]
    disproved: Mapping[str, Any]


class Inquiry:
    """Runs the stages of one investigation after the other."""

    def __init__(
        self,
        store: Store,
        arrangement: Callable[[], Arrangement],
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        reported: Callable[[], None],
    ) -> None:
        """Keep what it works with; *reported* is called when there is something to deliver."""
        self._store = store
        self._arrangement = arrangement
        self._metrics = metrics
        self._clock = clock
        self._reported = reported

    @property
    def limit_seconds(self) -> float:
        """How long the whole of an investigation may take."""
        return self._arrangement().investigation_seconds

    async def run(self, investigation_id: str, incident_id: str) -> str:
        """Run every stage that has not run yet; give the report's id."""
        begun = await step("begin", lambda: self._begin(incident_id))
        case = _case(investigation_id, begun)
        gathered = await self._stage(case, "gather", lambda: self._gather(case))
        ranked = await self._stage(case, "rank", lambda: self._rank(case, gathered))
        disproved = await self._stage(
            case, "disprove", lambda: self._disprove(case, gathered, ranked)
        )
        progress = Progress(gathered=gathered, ranked=ranked, disproved=disproved)
        draft = await self._stage(case, "analyse", lambda: self._analyse(case, progress))
        return str(await step("report", lambda: self._report(case, progress, draft)))

    async def _stage(self, case: Case, name: str, run: Callable[[], Awaitable[Any]]) -> Any:
        async def timed() -> Any:
            began = time.perf_counter()
            async with asyncio.timeout(self._arrangement().stage_seconds):
                result = await run()
            seconds = time.perf_counter() - began
            self._metrics.stage_seconds.labels(name).observe(seconds)
            now, incident_id = self._clock(), case.incident.id
            await patiently(
                self._store,
                lambda database: incidents.finish_stage(database, incident_id, name, now, seconds),
            )
            return result

        return await step(name, timed)

    async def _begin(self, incident_id: str) -> dict[str, Any]:
        now = self._clock()

        def begin(connection: Connection) -> tuple[Incident | None, tuple[Change, ...]]:
            entry = Entry(at=now, event="investigating", text="its turn has come")
            incidents.set_state(connection, incident_id, IncidentState.INVESTIGATING, entry)
            start = now - _CHANGES_BEFORE_SECONDS
            changes = deliveries.changes_between(connection, start, now, _MOST_CHANGES)
            return incidents.get(connection, incident_id), changes

        incident, changes = await patiently(self._store, begin)
        if incident is None:
            raise LookupError(f"incident {incident_id}: not in the store")
        return {
            "incident": incident.model_dump(mode="json"),
            "changes": [change_data(change) for change in changes],
            "started_at": now,
        }

    async def _gather(self, case: Case) -> dict[str, Any]:
        gathered = await self._arrangement().investigation.gather(case.incident, case.changes)
        if gathered.frame is not None:
            packed = await asyncio.to_thread(gathered.frame.to_bytes)
            await patiently(
                self._store,
                lambda database: reports.keep_frame(database, case.investigation_id, packed),
            )
        return {
            "window": gathered.window.model_dump(mode="json"),
            "evidence": [each.model_dump(mode="json") for each in gathered.evidence],
            "has_frame": gathered.frame is not None,
            "runbooks": dict(gathered.runbooks),
        }

    async def _gathered(self, case: Case, stored: Mapping[str, Any]) -> Gathered:
        frame = None
        if stored["has_frame"]:
            packed = await self._store.read(
                lambda database: reports.frame(database, case.investigation_id)
            )
            frame = await asyncio.to_thread(Frame.from_bytes, packed) if packed else None
        return Gathered(
            window=Window.model_validate(stored["window"]),
            evidence=_evidence(stored),
            frame=frame,
            runbooks=stored["runbooks"],
        )

    async def _rank(self, case: Case, gathered: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._gathered(case, gathered)
        investigation = self._arrangement().investigation
        ranked = await asyncio.to_thread(investigation.rank, case.incident, found, case.changes)
        stored: dict[str, Any] = ranked.model_dump(mode="json")
        return stored

    async def _disprove(
        self, case: Case, gathered: Mapping[str, Any], ranked: Mapping[str, Any]
    ) -> dict[str, Any]:
        found = await self._gathered(case, gathered)
        disproofs, evidence = await self._arrangement().investigation.disprove(
            case.incident, found, Ranked.model_validate(ranked)
        )
        return {
            "disproofs": [each.model_dump(mode="json") for each in disproofs],
            "evidence": [each.model_dump(mode="json") for each in evidence],
        }

    async def _analyse(self, case: Case, progress: Progress) -> dict[str, Any]:
        draft = await self._arrangement().investigation.analyse(_brief(case, progress))
        spend = draft.spend
        if spend.model:
            self._metrics.model_tokens.labels(spend.model, "prompt").inc(spend.prompt_tokens)
            self._metrics.model_tokens.labels(spend.model, "output").inc(spend.output_tokens)
        return draft.model_dump(mode="json")

    async def _report(self, case: Case, progress: Progress, draft: Mapping[str, Any]) -> str:
        began = time.perf_counter()
        arrangement = self._arrangement()
        brief = _brief(case, progress)
        disproofs = progress.disproved["disproofs"]
        report = arrangement.investigation.conclude(
            brief,
            Draft.model_validate(draft),
            tuple(Disproof.model_validate(each) for each in disproofs),
            report_id=report_id(case.incident.id),
            started_at=case.started_at,
            now=self._clock(),
        )
        dossier = Dossier(
            report=report,
            evidence=[each.model_dump(mode="json") for each in brief.evidence],
            suspects=progress.ranked["suspects"],
            disproofs=disproofs,
        )
        seconds = time.perf_counter() - began
        self._metrics.stage_seconds.labels("report").observe(seconds)
        await self.close(case.investigation_id, case.incident, dossier, seconds)
        return report.id

    async def close(
        self, investigation_id: str, examined: Incident, dossier: Dossier, seconds: float
    ) -> None:
        """Store a report and its messages in one transaction; the work is then done.

        *examined* is the incident as the report knows it; what joined it later parts from it.
        *seconds* is how long the report took to compose.
        """
        now, channels, report = self._clock(), self._arrangement().channels, dossier.report

        def store(connection: Connection) -> bool:
            work.finish(connection, investigation_id, now)
            incidents.finish_stage(connection, report.incident, "report", now, seconds)
            if not _stored(connection, dossier, channels, now):
                return False
            part(connection, examined, now)
            settle(connection, examined.id, channels, now)
            return True

        is_new = await patiently(self._store, store)
        if is_new:
            self._metrics.reports.labels(report.analyst, report.decision.kind.value).inc()
            log.info(
                "incident reported", incident=report.incident, seconds=round(report.seconds, 3)
            )
        self._reported()


def _stored(connection: Connection, dossier: Dossier, channels: Sequence[str], now: float) -> bool:
    """Store a report and what follows from it; tell whether it is the incident's first."""
    report = dossier.report
    if not reports.add(connection, dossier):
        return False
    entry = Entry(at=now, event="reported", text=f"report {report.id}: {report.headline}")
    incidents.set_state(connection, report.incident, IncidentState.REPORTED, entry)
    notice = outbox.Notice(
        incident_id=report.incident, report_id=report.id, event=outbox.REPORTED, at=now
    )
    outbox.add(connection, channels, notice)
    incident = incidents.get(connection, report.incident)
    if incident is not None and incident.resolved_at is not None:
        announce_resolution(connection, report.incident, channels, now)
    return True


async def patiently(store: Store, job: Callable[[Connection], T]) -> T:
    """Write to the store, again and again while it cannot be written."""
    patience_seconds = _FIRST_PATIENCE_SECONDS
    while True:
        try:
            return await store.write(job)
        except StoreUnavailableError as error:
            log.warning("store cannot be written, trying again", problem=str(error))
        await asyncio.sleep(patience_seconds)
        patience_seconds = min(2 * patience_seconds, _LONGEST_PATIENCE_SECONDS)


def report_id(incident_id: str) -> str:
    """Give the id of an incident's report: the same however often it is written."""
    return f"{incident_id}-r1"


def change_data(change: Change) -> dict[str, Any]:
    """Give a change as plain data."""
    return {
        "id": change.id,
        "at": change.at,
        "service": change.service,
        "kind": change.kind,
        "title": change.title,
        "version": change.version,
        "author": change.author,
        "link": change.link,
    }


def _case(investigation_id: str, begun: Mapping[str, Any]) -> Case:
    return Case(
        investigation_id=investigation_id,
        incident=Incident.model_validate(begun["incident"]),
        changes=tuple(Change(**each) for each in begun["changes"]),
        started_at=begun["started_at"],
    )


def _evidence(stored: Mapping[str, Any]) -> tuple[Evidence, ...]:
    return tuple(Evidence.model_validate(each) for each in stored["evidence"])


def _brief(case: Case, progress: Progress) -> Brief:
    ranked = Ranked.model_validate(progress.ranked)
    return Brief(
        incident=case.incident,
        onset_at=ranked.onset_at,
        evidence=(*_evidence(progress.gathered), *_evidence(progress.disproved)),
        suspects=ranked.suspects,
        changes=case.changes,
        runbooks=progress.gathered["runbooks"],
    )
