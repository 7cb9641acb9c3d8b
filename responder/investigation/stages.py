"""The stages of an investigation, as the workflow calls them one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import aiohttp
import structlog

from responder.alert import Change
from responder.incident import Incident
from responder.investigation import embedded
from responder.investigation.analyst import Analyst, AnalystError, Brief, CeilingError
from responder.investigation.classify import suspects
from responder.investigation.compose import Stamp, compose
from responder.investigation.contrast import (
    BACKS,
    Contrast,
    contrasts,
    judged,
    shifted,
)
from responder.investigation.disproof import Disproof, attempts
from responder.investigation.evidence import Evidence, Recalled, Record, Suspect, Window
from responder.investigation.gather import Gathered, ask_all, assemble
from responder.investigation.picture import picture
from responder.investigation.report import Draft, Report, Spend
from responder.investigation.sharing import Moment
from responder.past import Memory
from responder.source import Question, Recaller, Source, Topology
from responder.spend import together

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
        is_past: bool = False,
        memory: Memory | None = None,
    ) -> None:
        """Keep them; the first of *analysts* is asked, and the embedded one stands behind it.

        Where the clock tells a time that *is_past*, sources of the present alone are left out.
        """
        self._sources = tuple(sources)
        self._topology = topology
        self._analysts = tuple(analysts)
        self._session = session
        self._limits = limits
        self._clock = clock
        self._moment = Moment()
        self._is_past = is_past
        self._memory = memory

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
            is_past=self._is_past,
            memory=self._memory,
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
        """Try to refute the first suspects: on what was gathered, and by the same hour before.

        What is asked anew is evidence of its own. Never raises for what a source does.
        """
        seen = picture(incident, gathered.evidence, gathered.frame, (), self._topology)
        known = attempts(seen, ranked.suspects)
        recaller = next((each for each in self._sources if isinstance(each, Recaller)), None)
        asked = contrasts(seen, ranked.suspects) if recaller is not None else ()
        if recaller is None or not asked:
            return known, ()
        told = await asyncio.gather(*(self._recalled(recaller, each) for each in asked))
        first = len(gathered.evidence) + 1
        answers = [
            judged(each, of_each, f"E{first + index}")
            for index, (each, of_each) in enumerate(zip(asked, told, strict=True))
        ]
        return (*known, *(each for each, _ in answers)), tuple(each for _, each in answers)

    async def _recalled(self, recaller: Recaller, asked: Contrast) -> Sequence[Recalled]:
        """Ask for the same hour of each of the other days, all at once."""
        return await asyncio.gather(
            *(
                recaller.recall(
                    asked.query,
                    shifted(asked.window, back_seconds),
                    asked.step_seconds,
                    self._session,
                    self._limits.gather_seconds,
                )
                for _, back_seconds in BACKS
            )
        )

    async def analyse(self, brief: Brief) -> Draft:
        """Ask the configured analyst; on its failure the embedded one writes, with a note."""
        notes: list[str] = []
        spend, looked = Spend(), tuple[Evidence, ...]()
        for analyst in self._analysts:
            try:
                async with asyncio.timeout(self._limits.analyst_seconds):
                    draft = await analyst.analyse(brief)
            except TimeoutError:
                seconds = self._limits.analyst_seconds
                notes.append(f"the analyst did not answer in {seconds:g} s; written by code alone")
            except AnalystError as error:
                looked += error.evidence
                spend = together(spend, error.spend)
                notes.append(with_failure(error))
            except Exception as error:  # a page never waits for a model, whatever it does
                log.warning("analyst failed", reason=type(error).__name__, exc_info=True)
                notes.append(f"the analyst failed ({type(error).__name__}); written by code alone")
            else:
                whole = together(spend, draft.spend)
                return draft.model_copy(update={"notes": (*draft.notes, *notes), "spend": whole})
        return by_code(brief, looked, spend, notes)

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
        """Ground the draft, cap its confidence, decide, and compose the report; pure.

        The draft stands on the brief's evidence and on what its analyst looked at besides.
        """
        stamp = Stamp(report_id=report_id, started_at=started_at, now=now)
        seen = replace(brief, evidence=(*brief.evidence, *draft.evidence))
        return compose(seen, draft, disproofs, stamp)


def with_failure(error: AnalystError) -> str:
    """Say in a note why code alone wrote the report."""
    if isinstance(error, CeilingError):
        return f"no more is spent on a model: {error}; written by code alone"
    return f"the analyst failed ({error}); written by code alone"


def by_code(
    brief: Brief, looked: tuple[Evidence, ...], spend: Spend, notes: Sequence[str]
) -> Draft:
    """Write a draft by code alone, on what an analyst had looked at too before it failed."""
    draft = embedded.draft(replace(brief, evidence=(*brief.evidence, *looked)))
    update = {"notes": (*draft.notes, *notes), "spend": spend, "evidence": looked}
    return draft.model_copy(update={**update, "partial": bool(looked)})
