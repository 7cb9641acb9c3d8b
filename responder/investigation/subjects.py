"""Whose numbers a claim tells: each clause is read in the evidence of what it speaks of.

A claim may cite evidence of several components; a number of one of them is not true of another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from responder.investigation.evidence import Evidence
from responder.investigation.plain_words import change_of, is_ill

LEAST_CHANGE_RATIO = 0.2
_ABOUT = ("target", "service", "label target", "label service")
_SENTENCE = re.compile(r"[;.](?:\s|$)")
_CLAUSE = re.compile(r"[,:](?=\s)|\b(?:while|whereas|but|though)\b", re.IGNORECASE)
# These bring numbers of everything alike: the alert's rule, the calm, what a page says.
_OF_ITSELF = frozenset({"alert", "onset", "runbooks", "catalogue", "prometheus", "exporter"})


def subjects_of(evidence: Iterable[Evidence]) -> frozenset[str]:
    """Collect what some evidence is of: components, targets and services."""
    names = {each.component or "" for each in evidence}
    names |= {each.facts.get(key, "") for each in evidence for key in _ABOUT}
    return frozenset(name for name in names if len(name) > 1)


def clauses(text: str, subjects: Collection[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Give each clause with the subjects that it names, else those of the clause before it.

    A new sentence that names none speaks of everything that is cited.
    """
    for sentence in _SENTENCE.split(text):
        before: frozenset[str] = frozenset()
        for clause in _CLAUSE.split(sentence):
            before = frozenset(each for each in subjects if _names(clause, each)) or before
            yield clause, before


def of_subjects(
    evidence: Iterable[Evidence], named: Collection[str], subjects: Collection[str]
) -> Iterator[Evidence]:
    """Leave of some evidence what is of the named subjects, and what is of none."""
    for each in evidence:
        about = _about(each, subjects)
        if not about or each.component in named:
            yield each
        elif not about.isdisjoint(named):
            kept = [q for q in each.quantities if _may_be_of(q.labels.values(), named, subjects)]
            yield each.model_copy(update={"quantities": tuple(kept)})


def shows_trouble(evidence: Evidence) -> bool:
    """Say whether evidence tells of a change, an ill state, a failure, or what a log says."""
    change = change_of(evidence)
    if change is not None and abs(change) >= LEAST_CHANGE_RATIO * _before(evidence):
        return change != 0
    if is_ill(evidence) or any(name.startswith("failure ") for name in evidence.facts):
        return True
    has_changed = any(each.name == "changed at" for each in evidence.quantities)
    return has_changed or evidence.source not in _OF_ITSELF


def _before(evidence: Evidence) -> float:
    return max((abs(q.value) for q in evidence.quantities if q.name == "before"), default=0.0)


def _about(evidence: Evidence, subjects: Collection[str]) -> set[str]:
    words = {evidence.component, *(evidence.facts.get(key) for key in _ABOUT)}
    words |= {value for each in evidence.quantities for value in each.labels.values()}
    return {each for each in subjects if each in words or _names(evidence.title, each)}


def _may_be_of(values: Iterable[str], named: Collection[str], subjects: Collection[str]) -> bool:
    told = {each for each in values if each in subjects}
    return not told or not told.isdisjoint(named)


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None
