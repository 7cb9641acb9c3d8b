"""Words of a claim that say something checkable without a digit: states, directions, factors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from responder.investigation.evidence import Evidence

FACTORS: Mapping[str, float] = {"doubled": 2.0, "twice": 2.0, "tripled": 3.0}
_FACTOR = re.compile(rf"\b({'|'.join(FACTORS)})\b", re.IGNORECASE)
_WELL = ("ok", "healthy")
_ILL = ("down", "hung", "saturated", "wrong", "degraded", "unresponsive")
_STATES = (*_WELL, *_ILL, "unknown")
_STATE = re.compile(rf"\b(?:(not|never|no longer)\s+)?({'|'.join(_STATES)})\b(?!-)", re.IGNORECASE)
# Turns of speech that hold a state's word and name no state.
_NO_STATE = re.compile(
    r"\b(?:slow(?:s|ed|ing)?|scal(?:es?|ed|ing)|break(?:s|ing)?|broken?) down\b"
    r"|\b(?:cause|reason) (?:is |remains |stays )?unknown\b"
    r"|\b(?:some|any|no)thing (?:is|was|goes|went) wrong\b|\bwhat (?:is|goes|went) wrong\b",
    re.IGNORECASE,
)
_ROSE = r"rose|rises?|risen|rising|increas\w+|grew|grows?|grown|growing"
_FELL = r"fell|falls|fallen|falling|decreas\w+|declin\w+|drop(?:s|ped)? (?:to|from|by)"
_DIRECTION = re.compile(
    rf"(?<!\bnot )(?<!\bno )(?<!\bnever )\b(?:({_ROSE})|({_FELL}))(?!\w)", re.IGNORECASE
)
_BEFORE = frozenset({"before", "baseline"})
_AFTER = frozenset({"since the onset", "value at onset"})


def factors(text: str) -> Iterator[tuple[str, float]]:
    """Give each number word that is a factor, with its value."""
    for found in _FACTOR.finditer(text):
        yield found.group(), FACTORS[found.group().lower()]


def states_of(evidence: Evidence) -> Iterator[str]:
    """Give the states that evidence tells, in lower case."""
    told = [
        value
        for name, value in evidence.facts.items()
        if name in {"state", "label state"} or name.startswith("target ")
    ]
    told += [quantity.labels.get("state", "") for quantity in evidence.quantities]
    yield from (each.lower() for each in told if each.lower() in _STATES)


def is_ill(evidence: Evidence) -> bool:
    """Say whether evidence tells a state in which something does not work."""
    return any(each in _ILL for each in states_of(evidence))


def change_of(evidence: Evidence) -> float | None:
    """Give by how much a series changed, where what it was before and since are both told."""
    before = next((q.value for q in evidence.quantities if q.name in _BEFORE), None)
    since = next((q.value for q in evidence.quantities if q.name in _AFTER), None)
    return None if before is None or since is None else since - before


def wrong_states(text: str, states: frozenset[str]) -> Iterator[str]:
    """Give the state words that the states do not bear out; nothing where there is no state."""
    for found in _STATE.finditer(_NO_STATE.sub(" ", text)) if states else ():
        word = found[2].lower()
        same = word in states or (word == "healthy" and "ok" in states)
        if same == bool(found[1]):
            yield found.group()


def has_state(text: str) -> bool:
    """Say whether a text names a state."""
    return _STATE.search(_NO_STATE.sub(" ", text)) is not None


def wrong_directions(text: str, changes: Iterable[float]) -> Iterator[str]:
    """Give the words for rising and falling that no cited change goes along with."""
    known = tuple(changes)
    for found in _DIRECTION.finditer(text) if known else ():
        rises = found[1] is not None
        if not any(change > 0 if rises else change < 0 for change in known):
            yield found.group()
