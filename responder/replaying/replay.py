"""An analysis from its journal: no model, no source and no network, and the same report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from responder.investigation.analyst import AnalystError
from responder.investigation.brief_record import brief_from
from responder.investigation.compose import Stamp, compose
from responder.investigation.conversation import Conversation, Due
from responder.investigation.disproof import Disproof
from responder.investigation.evidence import Evidence
from responder.investigation.prompt import messages
from responder.investigation.report import Draft, Report
from responder.investigation.stages import by_code, with_failure
from responder.investigation.turns import Entry, Opening
from responder.store.reports import Dossier


class ReplayError(Exception):
    """What is stored cannot be played; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What the journal led to, and where it differs from what was stored then."""

    conversation: Conversation
    report: Report
    differs: tuple[str, ...]


def played(opening: Opening, entries: Sequence[Entry], dossier: Dossier) -> Played:
    """Play a journal on the evidence of its report; raises ReplayError."""
    stored = {each["id"]: Evidence.model_validate(each) for each in dossier.evidence}
    missing = [name for name in opening.evidence if name not in stored]
    if missing:
        raise ReplayError(f"evidence {missing[0]} is not stored with the report")
    brief = brief_from(opening.brief, tuple(stored[name] for name in opening.evidence))
    talk = Conversation(
        brief=brief,
        model=opening.model,
        fallback_model=opening.fallback_model,
        turns=opening.turns,
        talk=list(messages(brief)),
    )
    for each in entries:
        talk.take(each)
    if talk.due not in {Due.DONE, Due.ENDED}:
        raise ReplayError(f"the journal ends where the model is to {talk.due.value}")
    report = _report(talk, dossier)
    return Played(conversation=talk, report=report, differs=_differences(report, dossier.report))


def _report(talk: Conversation, dossier: Dossier) -> Report:
    then = dossier.report
    draft = _draft(talk)
    stamp = Stamp(report_id=then.id, started_at=then.created_at - then.seconds, now=then.created_at)
    brief = replace(talk.brief, evidence=(*talk.brief.evidence, *draft.evidence))
    disproofs = tuple(Disproof.model_validate(each) for each in dossier.disproofs)
    return compose(brief, draft, disproofs, stamp)


def _draft(talk: Conversation) -> Draft:
    try:
        return talk.outcome()
    except AnalystError as error:
        return by_code(talk.brief, error.evidence, error.spend, [with_failure(error)])


def _differences(now: Report, then: Report) -> tuple[str, ...]:
    """Name the parts that differ; how long it took is not played again."""
    new, old = now.model_dump(mode="json"), then.model_dump(mode="json")
    return tuple(name for name in new if name != "seconds" and new[name] != old.get(name))
