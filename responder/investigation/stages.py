"""The stages of an investigation, as the workflow calls them one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp
import structlog

from responder.alert import Change
from responder.incident import Incident
from responder.investigation import embedded
from responder.investigation.analyst import Analyst, AnalystError, Brief
from responder.investigation.classify import suspects
from responder.investigation.compose import Stamp, compose
from responder.investigation.disproof import Disproof, attempts
from responder.investigation.evidence import Evidence, Record, Suspect, Window
from responder.investigation.gather import Gathered, ask_all, assemble
from responder.investigation.picture import picture
from responder.investigation.report import Draft, Report
from responder.investigation.sharing import Moment
from responder.source import Question, Source, Topology

__all__ = ["Disproof", "Gathered", "Limits", "Ranked", "Stages"]

log = structlog.get_logger(__name__)


class Ranked(Record):
    """When it began, how far off that may be, and the suspects, the likeliest first."""

    onset_at: float
    onset_uncertainty_seconds: float
    suspects: tuple[Suspect, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Deadlines in seconds, and how far back of the alert anything is looked at."""

    gather_seconds: float = 10.0
    analyst_seconds: float = 20.0
    look_back_seconds: float = 6 * 3600.0


class Stages:
    """Built once from the configuration; holds no state of any incident."""

    def __init__(  # noqa: PLR0913 - what an investigation works with
        self,
        *,
        sources: Sequence[Source],
        topology: Topology,
        analysts: Sequence[Analyst],
        session: aiohttp.ClientSession,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        """Keep them; the first of *analysts* is asked, and the embedded one stands behind it."""
        self._sources = tuple(sources)
        self._topology = topology
        self._analysts = tuple(analysts)
        self._session = session
        self._limits = limits
        self._clock = clock
        self._moment = Moment()

    async def gather(self, incident: Incident, changes: Sequence[Change]) -> Gathered:
        """Look at everything; never raises for what a source does."""
        now = self._clock()
        fired = min(episode.alert.starts_at for episode in incident.episodes)
        question = Question(
            incident=incident,
            window=Window(start=min(fired, now) - self._limits.look_back_seconds, end=now),
            step_seconds=0.0,
            topology=self._topology,
            changes=tuple(changes),
            session=self._session,
            deadline_seconds=self._limits.gather_seconds,
            moment=self._moment,
        )
        findings = await ask_all(self._sources, question)
        return await asyncio.to_thread(assemble, question, findings)

    def rank(self, incident: Incident, gathered: Gathered, changes: Sequence[Change]) -> Ranked:
        """Find the onset and rank the suspects; pure and deterministic."""
        seen = picture(incident, gathered.evidence, gathered.frame, changes, self._topology)
        return Ranked(
            onset_at=seen.onset.at,
            onset_uncertainty_seconds=seen.onset.uncertainty_seconds,
            suspects=suspects(seen),
        )

    async def disprove(
        self, incident: Incident, gathered: Gathered, ranked: Ranked
    ) -> tuple[tuple[Disproof, ...], tuple[Evidence, ...]]:
        """Try to refute the first suspects on the stored evidence; nothing new is asked yet."""
        seen = picture(incident, gathered.evidence, gathered.frame, (), self._topology)
        return attempts(seen, ranked.suspects), ()

    async def analyse(self, brief: Brief) -> Draft:
        """Ask the configured analyst; on its failure the embedded one writes, with a note."""
        notes: list[str] = []
        for analyst in self._analysts:
            try:
                async with asyncio.timeout(self._limits.analyst_seconds):
                    draft = await analyst.analyse(brief)
            except TimeoutError:
                seconds = self._limits.analyst_seconds
                notes.append(f"the analyst did not answer in {seconds:g} s; written by code alone")
            except AnalystError as error:
                notes.append(f"the analyst failed ({error}); written by code alone")
            except Exception as error:  # a page never waits for a model, whatever it does
                log.warning("analyst failed", reason=type(error).__name__, exc_info=True)
                notes.append(f"the analyst failed ({type(error).__name__}); written by code alone")
            else:
                return draft.model_copy(update={"notes": (*draft.notes, *notes)})
        draft = embedded.draft(brief)
        return draft.model_copy(update={"notes": (*draft.notes, *notes)})

    def conclude(  # noqa: PLR0913 - the contract with the workflow
        self,
        brief: Brief,
        draft: Draft,
        disproofs: Sequence[Disproof],
        *,
        report_id: str,
        started_at: float,
        now: float,
    ) -> Report:
        """Ground the draft, cap its confidence, decide, and compose the report; pure."""
        stamp = Stamp(report_id=report_id, started_at=started_at, now=now)
        return compose(brief, draft, disproofs, stamp)
