"""How sure a report may be of a cause: the rule that code sets confidence by, whoever named it.

- **high**: the verified claims stand on evidence of two independent origins; a contrast question of
  code was asked and stood; nothing refuted the cause; and at least half of the sources that are
  configured answered.
- **medium**: the verified claims stand on evidence of one origin, and nothing refuted the cause.
- **low**: everything else; so one failed disproof is not made good by others that were stood.

It is never above what code's own ranking gives the same suspect, and low for a cause that code
never suspected. A model has no say: what it names as its own refutation counts when it refutes, and
not when it is stood.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from responder.investigation.disproof import Disproof
from responder.investigation.evidence import UNCONFIGURED, Evidence, Status
from responder.investigation.report import Cause, Claim, Confidence, Refutation
from responder.past import ORIGIN

LEAST_COVERAGE = 0.5
LEAST_ORIGINS = 2
# What a claim's evidence stands on; the alert and the catalogue of names are no witnesses.
_NO_WITNESS = frozenset({"alert", "catalogue", "onset", "runbook", ORIGIN, ""})
# Of the incident itself rather than of a source that can fail.
_GIVEN = frozenset({"alert", "onset", "changes", "tool"})
_NOT_ASKED = frozenset({UNCONFIGURED, "knows only the present"})


def allowed(
    cause: Cause,
    claims: Sequence[Claim],
    evidence: Sequence[Evidence],
    disproofs: Iterable[Disproof],
    refutations: Iterable[Refutation],
) -> Confidence:
    """Give the most that a cause's verified claims, its disproofs and the coverage allow."""
    ids = {each for claim in claims for each in claim.evidence}
    origins = {origin(each) for each in evidence if each.id in ids} - _NO_WITNESS
    tried = [
        each for each in disproofs if (each.suspect, each.kind) == (cause.component, cause.kind)
    ]
    own = [e for e in refutations if (e.component, e.kind) == (cause.component, cause.kind)]
    is_refuted = any(d.held is False for d in tried) or any(r.held is False for r in own)
    if not origins or is_refuted:
        return Confidence.LOW
    has_stood = any(each.held is True for each in tried)
    is_seen = coverage(evidence) >= LEAST_COVERAGE
    is_high = len(origins) >= LEAST_ORIGINS and has_stood and is_seen
    return Confidence.HIGH if is_high else Confidence.MEDIUM


def as_disproofs(refutations: Iterable[Refutation]) -> tuple[Disproof, ...]:
    """Give what a model named as refutations in the form of code's own attempts, to be told."""
    return tuple(
        Disproof(
            suspect=each.component,
            kind=each.kind,
            question=each.question,
            held=each.held,
            evidence=each.evidence,
            text=each.text,
        )
        for each in refutations
    )


def origin(evidence: Evidence) -> str:
    """Say which witness evidence is of: two questions to one server may be of two, or of one."""
    return evidence.facts.get("origin", evidence.source)


def coverage(evidence: Iterable[Evidence]) -> float:
    """Give the share of the sources asked that answered, if only that there is nothing."""
    statuses: dict[str, set[Status]] = defaultdict(set)
    for each in evidence:
        if origin(each) == ORIGIN:
            continue  # our own memory always answers, and sees nothing of what is
        if each.source not in _GIVEN and each.detail not in _NOT_ASKED:
            statuses[each.source].add(each.status)
    if not statuses:
        return 0.0
    answered = sum(bool(found & {Status.OK, Status.EMPTY}) for found in statuses.values())
    return answered / len(statuses)
