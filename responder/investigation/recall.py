"""What was the cause before by an operator's word, looked for in what is seen now.

The answer is told to the reader. It raises no confidence and adds no suspect: what code suspects
now is in the ranking already, and what it does not suspect was not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.guard import line
from responder.investigation.analyst import Brief
from responder.investigation.evidence import Status
from responder.investigation.subjects import shows_trouble
from responder.past import ORIGIN, SEEN, TRUE_CAUSE

MOST_TOLD = 3


def seen_before(brief: Brief) -> Iterator[str]:
    """Tell of the incidents of before, and of each true cause whether it is seen again."""
    yield from (f"{SEEN}: {text}; not evidence" for text in _facts(brief, SEEN)[:MOST_TOLD])
    for cause in dict.fromkeys(_facts(brief, TRUE_CAUSE)[:MOST_TOLD]):
        yield f"the cause of before, {cause}, was looked for: {_found(brief, cause)}"


def _facts(brief: Brief, begin: str) -> list[str]:
    told = (each.facts for each in brief.evidence if each.facts.get("origin") == ORIGIN)
    return [text for facts in told for name, text in facts.items() if name.startswith(begin)]


def _found(brief: Brief, cause: str) -> str:
    component, _, kind = cause.rpartition(": ")
    for place, each in enumerate(brief.suspects, 1):
        if (line(each.component, 200), each.kind.value) == (component, kind):
            return f"code suspects it again (number {place})"
    own = [e for e in brief.evidence if e.component == component and e.status is Status.OK]
    if not own:
        return f"nothing was seen of {component}, so it could not be tested"
    if any(shows_trouble(each) for each in own):
        return f"{component} shows trouble, but not of this kind"
    return f"{component} shows no trouble this time"
