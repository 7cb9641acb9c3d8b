"""A whole investigation at one go, told step by step: for commands that keep nothing between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from responder.alert import Change
from responder.incident import Incident
from responder.investigation.analyst import Brief
from responder.investigation.disproof import Disproof
from responder.investigation.report import Draft, Report
from responder.investigation.stages import Gathered, Ranked, Stages


@dataclass(kw_only=True, slots=True)
class Told:
    """Hears of each step when it is done; each does nothing unless it is replaced."""

    gathered: Callable[[Gathered], object] = lambda _gathered: None
    ranked: Callable[[Ranked], object] = lambda _ranked: None
    disproved: Callable[[Sequence[Disproof]], object] = lambda _disproofs: None
    drafted: Callable[[Draft], object] = lambda _draft: None


async def investigated(
    stages: Stages,
    incident: Incident,
    changes: Sequence[Change],
    *,
    clock: Callable[[], float],
    told: Told | None = None,
) -> Report:
    """Do every stage in order; raises for no source and no analyst, whatever they do."""
    hear = told or Told()
    began_at = clock()
    gathered = await stages.gather(incident, changes)
    hear.gathered(gathered)
    ranked = stages.rank(incident, gathered, changes)
    hear.ranked(ranked)
    disproofs, more = await stages.disprove(incident, gathered, ranked)
    hear.disproved(disproofs)
    brief = Brief(
        incident=incident,
        onset_at=ranked.onset_at,
        evidence=(*gathered.evidence, *more),
        suspects=ranked.suspects,
        changes=tuple(changes),
        runbooks=gathered.runbooks,
        frame=gathered.frame,
    )
    draft = await stages.analyse(brief)
    hear.drafted(draft)
    name = f"{incident.id}-r1"
    return stages.conclude(
        brief, draft, disproofs, report_id=name, started_at=began_at, now=clock()
    )
