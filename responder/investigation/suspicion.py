"""Text that reads like an instruction: where it stands in a brief, and what a draft made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from responder.guard import line
from responder.instructions import all_clear, instruction_like
from responder.investigation import embedded
from responder.investigation.analyst import Brief
from responder.investigation.evidence import Evidence
from responder.investigation.report import Claim, Draft, Standing

MOST_TOLD = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """Where such a text stands, and in what way it reads like one."""

    place: str
    kind: str


def suspected(brief: Brief) -> tuple[Hit, ...]:
    """Look through all that others wrote."""
    found = ((place, instruction_like(text)) for place, text in _texts(brief))
    hits = [Hit(place=line(place, 80), kind=kind) for place, kind in found if kind]
    return tuple(dict.fromkeys(hits))


def told_of(hits: Sequence[Hit]) -> Iterator[str]:
    """Tell the reader of the report."""
    if not hits:
        return
    shown = "; ".join(f"{each.place} ({each.kind})" for each in hits[:MOST_TOLD])
    more = f" and {len(hits) - MOST_TOLD} more" if len(hits) > MOST_TOLD else ""
    yield (
        f"text that reads like an instruction was seen in {shown}{more}; it was kept from the model"
    )


def doubted(claim: Claim, draft: Draft) -> Claim:
    """Take the standing from a model's claim that is an order, or says that nothing is wrong."""
    if draft.analyst == embedded.NAME or claim.problem:
        return claim
    problem = ""
    if instruction_like(claim.text):
        problem = "reads like an instruction"
    elif all_clear(claim.text) and _leads(claim, draft):
        problem = "says that nothing is wrong while the alert fires"
    if not problem:
        return claim
    return claim.model_copy(update={"standing": Standing.UNVERIFIED, "problem": problem})


def is_denial(text: str, draft: Draft) -> bool:
    """Tell of a model's own proposal whether it is an order to it, or to do nothing."""
    if draft.analyst == embedded.NAME:
        return False
    return bool(instruction_like(text)) or all_clear(text)


def _leads(claim: Claim, draft: Draft) -> bool:
    """Tell whether a claim is none of those that rule something out."""
    return claim.text not in {each.text for each in draft.ruled_out}


def _texts(brief: Brief) -> Iterator[tuple[str, str]]:
    for episode in brief.incident.episodes:
        for name, value in {**episode.alert.labels, **episode.alert.annotations}.items():
            yield f"the alert's {name}", value
            yield "a name of the alert's", name
    for each in brief.evidence:
        yield from _evidence(each)
    for change in brief.changes:
        for value in (change.title, change.version, change.service, change.kind):
            yield f"the change of {change.service}", value
    for name, page in brief.runbooks.items():
        yield from ((f"the runbook {name}", row) for row in page.splitlines())


def _evidence(evidence: Evidence) -> Iterator[tuple[str, str]]:
    yield f"{evidence.id}, its title", evidence.title
    yield f"{evidence.id}, its detail", evidence.detail
    yield from ((f"{evidence.id}, {name}", value) for name, value in evidence.facts.items())
    for quantity in evidence.quantities:
        for value in (quantity.name, *quantity.labels.values()):
            yield f"{evidence.id}, a label", value
