"""Words of a claim that tell an order in time, looked up in the moments of what they speak of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from responder.investigation.evidence import Evidence

Moments = Mapping[str, Sequence[float]]
"""When things happened, by component; those of the onset and the alert by these words."""

ONSET, ALERT = "the onset", "the alert"
SLACK_SECONDS = 1.0
_NAMED = {"onset": ONSET, "fired at": ALERT}
_EVENTS = frozenset({"moved at", "changed at", "ended at"})
_FIRST = r"before|earlier than|prior to|ahead of|preced(?:es|ed|ing)"
_LAST = r"after|later than|follow(?:s|ed|ing)"
_WORD = re.compile(rf"\b(?:({_FIRST})|({_LAST}))\b", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|`[^`]*`|“[^”]*”")
_CLAUSE = re.compile(r"[;.](?:\s|$)")


def moments_of(evidence: Iterable[Evidence]) -> Moments:
    """Collect the moments of some evidence."""
    found: dict[str, list[float]] = {}
    for each in evidence:
        for quantity in each.quantities:
            if quantity.unit != "timestamp":
                continue
            if quantity.name in _NAMED:
                found.setdefault(_NAMED[quantity.name], []).append(quantity.value)
            elif quantity.name in _EVENTS or quantity.name.startswith(("failure ", "log ")):
                owner = quantity.labels.get("service") or each.component or ""
                found.setdefault(owner, []).append(quantity.value)
    return {name: sorted(times) for name, times in found.items() if name}


def wrong_order(text: str, moments: Moments, names: frozenset[str]) -> Iterator[str]:
    """Give each "a before b" that no two moments bear out, of what is known by name.

    Nothing is said where one of the two is not named: "before" has other senses.
    """
    known = sorted({*names, ONSET, ALERT}, key=len, reverse=True)
    for clause in _CLAUSE.split(_QUOTED.sub(" ", text)):
        for found in _WORD.finditer(clause):
            later_word = found[2] is not None
            subject = _last(clause[: found.start()], known)
            other = _next(clause[found.end() :], known)
            if not subject or not other or subject == other:
                continue
            first, last = (other, subject) if later_word else (subject, other)
            if not _is_borne_out(moments.get(first, ()), moments.get(last, ())):
                yield f"{subject} {found.group().split()[0].lower()} {other}"


def _is_borne_out(first: Sequence[float], last: Sequence[float]) -> bool:
    return any(one <= other + SLACK_SECONDS for one in first for other in last)


def _last(text: str, names: Sequence[str]) -> str:
    """Give the name that stands last in a text."""
    ends = [(found[-1].end(), len(name), name) for name in names if (found := _found(name, text))]
    return max(ends)[2] if ends else ""


def _next(text: str, names: Sequence[str]) -> str:
    """Give the name that a text begins with."""
    rest = text.lstrip()
    begun = (name for name in names if any(found.start() == 0 for found in _found(name, rest)))
    return next(begun, "")


def _found(name: str, text: str) -> list[re.Match[str]]:
    return list(re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE))
