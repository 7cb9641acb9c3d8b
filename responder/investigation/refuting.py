"""The disproof round of a model: what would refute its first cause by its own word, asked by code.

The answer can lower a confidence and never raises one, since the model chose the question.
"""

from __future__ import annotations

from responder.investigation.evidence import Evidence, Quantity, Status
from responder.investigation.movement import SINCE
from responder.investigation.prompt import RefutationArgument, ReportArguments, component_of
from responder.investigation.querying import asked
from responder.investigation.report import Refutation
from responder.investigation.tool import Bench
from responder.investigation.wording import amount, number

MINUTES_BEFORE = 30


async def refuted(
    given: ReportArguments, bench: Bench | None
) -> tuple[Refutation, tuple[Evidence, ...]]:
    """Ask what a report names as its refutation; never raises for what a far end does."""
    wanted, first = given.refutation, given.causes[0]
    made = Refutation(
        component=component_of(first), kind=first.kind, question=_question(wanted), held=None
    )
    if wanted is None or bench is None or bench.prometheus is None:
        return made.model_copy(update={"text": "it could not be asked"}), ()
    known = (*bench.brief.evidence, *bench.earlier)
    numbers = (int(each.id[1:]) for each in known if each.id[1:].isdigit())
    found = await asked(bench, wanted.query, MINUTES_BEFORE)
    limit = f"{wanted.refuted_if} {number(wanted.threshold)}"
    facts = {**found.facts, "refuted if": limit}
    title = f"{found.title}, to refute the first cause"
    identity = f"E{1 + max(numbers, default=0)}"
    evidence = found.model_copy(update={"id": identity, "title": title, "facts": facts})
    held, text = judged(evidence, wanted)
    update = {"held": held, "text": text, "evidence": identity}
    return made.model_copy(update=update), (evidence,)


def judged(evidence: Evidence, wanted: RefutationArgument) -> tuple[bool | None, str]:
    """Say whether a cause stood it: no series' median since the onset is beyond the threshold."""
    since = [each for each in evidence.quantities if each.name == SINCE]
    if evidence.status is not Status.OK or not since:
        return None, evidence.detail or "no series matches"
    is_above = wanted.refuted_if == "above"
    worst = (max if is_above else min)(since, key=lambda each: each.value)
    beyond = worst.value > wanted.threshold if is_above else worst.value < wanted.threshold
    return not beyond, _told(worst)


def _told(worst: Quantity) -> str:
    return f"it is {amount(worst.value, worst.unit)} since the onset"


def _question(wanted: RefutationArgument | None) -> str:
    if wanted is None:
        return ""
    opposite = "above" if wanted.refuted_if == "below" else "below"
    return f"does what would refute it stay {opposite} {number(wanted.threshold)}?"
