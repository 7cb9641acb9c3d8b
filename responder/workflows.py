"""The investigation as durable steps: each stage's result is stored before the next begins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from responder.alert import Change
from responder.casefile import (
    Case,
    Progress,
    brief_of,
    case_of,
    change_data,
    evidence_of,
    report_id,
)
from responder.durable import LostError, step
from responder.incident import Incident, IncidentState, Policy
from responder.investigation.analyst import Brief
from responder.investigation.evidence import Evidence, Frame, Window
from responder.investigation.report import Draft, Report
from responder.investigation.stages import Disproof, Gathered, Ranked
from responder.membership import uncovered
from responder.metrics import Metrics
from responder.patience import patiently, patiently_read
from responder.settlement import announce_resolution, close_resolved, merge_if_one, part, settle
from responder.store import deliveries, incidents, outbox, reports, work
from responder.store.engine import Connection, serialise
from responder.store.incidents import Entry
from responder.store.reports import Dossier
from responder.store.store import Store

__all__ = ["Arrangement", "Inquiry", "Investigation", "change_data", "patiently", "report_id"]

log = structlog.get_logger(__name__)

_CHANGES_BEFORE_SECONDS = 6 * 3600.0
_MOST_CHANGES = 100


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
    policy: Policy = field(default_factory=Policy)


class _OverError(Exception):
    """The incident was over before its investigation came to a result, and is closed."""


class Inquiry:
    """Runs the stages of one investigation after the other.

    Each stage but the last looks at the incident anew: who joined it is seen by what follows, and
    one that is over is given up. The result that a stage stores holds the incident as it saw it.
    """

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        store: Store,
        arrangement: Callable[[], Arrangement],
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        reported: Callable[[], None],
        replica_id: str = "",
    ) -> None:
        """Keep what it works with; *reported* is called when there is something to deliver."""
        self._store = store
        self._arrangement = arrangement
        self._metrics = metrics
        self._clock = clock
        self._reported = reported
        self._replica_id = replica_id

    @property
    def limit_seconds(self) -> float:
        """How long the whole of an investigation may take."""
        return self._arrangement().investigation_seconds

    async def run(self, investigation_id: str, incident_id: str) -> str:
        """Run every stage that has not run yet; give the report's id, nothing when it was over.

        Raises LostError when the work is another replica's by now.
        """
        begun = await step("begin", lambda: self._begin(investigation_id, incident_id))
        case = case_of(investigation_id, begun)
        try:
            return await self._stages(case)
        except _OverError:
            log.info("investigation given up: the incident is over", incident=incident_id)
            return ""

    async def _stages(self, case: Case) -> str:
        case, gathered = await self._stage(case, "gather", self._gather)
        seen = case.incident
        case, ranked = await self._stage(
            case, "rank", lambda each: self._rank(each, gathered, seen)
        )
        if ranked.get("is_outdated"):
            case, gathered = await self._stage(case, "gather", self._gather)
            case, ranked = await self._stage(
                case, "rank", lambda each: self._rank(each, gathered, None)
            )
        case, disproved = await self._stage(
            case, "disprove", lambda each: self._disprove(each, gathered, ranked)
        )
        progress = Progress(gathered=gathered, ranked=ranked, disproved=disproved)
        case, draft = await self._stage(case, "analyse", lambda each: self._analyse(each, progress))
        return str(await step("report", lambda: self._report(case, progress, draft)))

    async def _stage(
        self, case: Case, name: str, run: Callable[[Case], Awaitable[dict[str, Any]]]
    ) -> tuple[Case, dict[str, Any]]:
        """Run a stage unless it has run; give the case as it saw it, and its result."""

        async def staged() -> dict[str, Any]:
            now_seen = await self._newest(case)
            if now_seen is None:
                return {"is_over": True}
            result = await self._timed(now_seen, name, run)
            return {**result, "incident": now_seen.incident.model_dump(mode="json")}

        stored: dict[str, Any] = await step(name, staged)
        if stored.get("is_over"):
            raise _OverError
        # What a version before this one has stored does not say which incident it saw.
        if (seen := stored.pop("incident", None)) is not None:
            case = replace(case, incident=Incident.model_validate(seen))
        return case, stored

    async def _newest(self, case: Case) -> Case | None:
        """Give the case with the incident as it is now; None when it is over and closed."""
        incident_id = case.incident.id

        def look(connection: Connection) -> tuple[bool, Incident | None]:
            is_held = work.is_held(connection, case.investigation_id, self._replica_id)
            return is_held, incidents.get(connection, incident_id)

        is_held, incident = await patiently_read(self._store, look)
        if not is_held:
            raise _lost(case.investigation_id)
        if incident is None:
            raise LookupError(f"incident {incident_id}: not in the store")
        # What is critical has its report, over or not.
        is_over = incident.resolved_at is not None and incident.severity != "critical"
        if is_over and await self._give_up(case):
            return None
        return replace(case, incident=incident)

    async def _give_up(self, case: Case) -> bool:
        now = self._clock()

        def give_up(connection: Connection) -> bool:
            serialise(connection)
            if not close_resolved(connection, case.incident.id, now):
                return False
            work.finish(
                connection, case.investigation_id, now, self._replica_id, state=work.DROPPED
            )
            return True

        return await patiently(self._store, give_up)

    async def _timed(
        self, case: Case, name: str, run: Callable[[Case], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        began = time.perf_counter()
        async with asyncio.timeout(self._arrangement().stage_seconds):
            result = await run(case)
        seconds = time.perf_counter() - began
        self._metrics.stage_seconds.labels(name).observe(seconds)
        now, incident_id = self._clock(), case.incident.id
        await patiently(
            self._store,
            lambda database: incidents.finish_stage(database, incident_id, name, now, seconds),
        )
        return result

    async def _begin(self, investigation_id: str, incident_id: str) -> dict[str, Any]:
        now = self._clock()

        def begin(connection: Connection) -> tuple[Incident | None, tuple[Change, ...]] | None:
            if not work.is_held(connection, investigation_id, self._replica_id):
                return None
            entry = Entry(at=now, event="investigating", text="its turn has come")
            incidents.set_state(connection, incident_id, IncidentState.INVESTIGATING, entry)
            start = now - _CHANGES_BEFORE_SECONDS
            changes = deliveries.changes_between(connection, start, now, _MOST_CHANGES)
            return incidents.get(connection, incident_id), changes

        begun = await patiently(self._store, begin)
        if begun is None:
            raise _lost(investigation_id)
        incident, changes = begun
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
            packed = await patiently_read(
                self._store, lambda database: reports.frame(database, case.investigation_id)
            )
            frame = await asyncio.to_thread(Frame.from_bytes, packed) if packed else None
        return Gathered(
            window=Window.model_validate(stored["window"]),
            evidence=evidence_of(stored),
            frame=frame,
            runbooks=stored["runbooks"],
        )

    async def _rank(
        self, case: Case, gathered: Mapping[str, Any], gathered_for: Incident | None
    ) -> dict[str, Any]:
        """Rank what was gathered, unless what has joined since asks for gathering once more."""
        if gathered_for is not None and uncovered(case.incident, gathered_for):
            return {"is_outdated": True}
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
        found = await self._gathered(case, progress.gathered)
        brief = replace(brief_of(case, progress), frame=found.frame)
        draft = await self._arrangement().investigation.analyse(brief)
        spend = draft.spend
        if spend.model:
            self._metrics.model_tokens.labels(spend.model, "prompt").inc(spend.prompt_tokens)
            self._metrics.model_tokens.labels(spend.model, "output").inc(spend.output_tokens)
        return {"draft": draft.model_dump(mode="json")}

    async def _report(self, case: Case, progress: Progress, stored: Mapping[str, Any]) -> str:
        began = time.perf_counter()
        arrangement = self._arrangement()
        brief = brief_of(case, progress)
        disproofs = progress.disproved["disproofs"]
        draft = Draft.model_validate(stored.get("draft", stored))
        report = arrangement.investigation.conclude(
            brief,
            draft,
            tuple(Disproof.model_validate(each) for each in disproofs),
            report_id=report_id(case.incident.id),
            started_at=case.started_at,
            now=self._clock(),
        )
        dossier = Dossier(
            report=report,
            evidence=[e.model_dump(mode="json") for e in (*brief.evidence, *draft.evidence)],
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
        *seconds* is how long the report took to compose. Raises LostError, and stores nothing,
        when the work is another replica's.
        """
        now, arrangement, report = self._clock(), self._arrangement(), dossier.report
        channels, policy = arrangement.channels, arrangement.policy

        def store(connection: Connection) -> bool | None:
            serialise(connection)
            if not work.finish(connection, investigation_id, now, self._replica_id):
                return None
            incidents.finish_stage(connection, report.incident, "report", now, seconds)
            if not _stored(connection, dossier, channels, now):
                return False
            merge_if_one(connection, report, channels, now, policy)
            part(connection, examined, now)
            settle(connection, examined.id, channels, now, policy)
            return True

        is_new = await patiently(self._store, store)
        if is_new is None:
            raise _lost(investigation_id)
        if is_new:
            self._metrics.reports.labels(report.analyst, report.decision.kind.value).inc()
            log.info(
                "incident reported", incident=report.incident, seconds=round(report.seconds, 3)
            )
        self._reported()


def _lost(investigation_id: str) -> LostError:
    return LostError(f"{investigation_id}: not this replica's work any more")


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
