"""Reads every number, time, name and unit of a claim again in the evidence that it cites.

A number is found when a quantity of the cited evidence, in a unit of the same dimension, equals it
as far as it is printed, or within one percent. What a clause says of a component it names is looked
up in the evidence of that component alone. A duration may also be the distance between two
cited moments: onset, firing, change, movement. A number without a unit may stand literally in a
cited fact. Names (components, targets, metrics, versions, quoted text) must stand in the cited
evidence, states and directions agree with it. A claim with nothing in it to look up is not
verified. Text that came from outside may be quoted, in quotation marks; a claim that repeats it as
its own words reads nothing.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from responder.guard import line
from responder.investigation.evidence import ASKED_BY, Evidence, Quantity, Status
from responder.investigation.movement import FACTOR
from responder.investigation.order_words import Moments, moments_of, wrong_order
from responder.investigation.plain_words import (
    change_of,
    factors,
    has_state,
    states_of,
    wrong_directions,
    wrong_states,
)
from responder.investigation.printed_units import FITS, SCALES, dimension_of
from responder.investigation.report import Claim, Standing
from responder.investigation.subjects import clauses, of_subjects, subjects_of

TOLERANCE_RATIO = 0.01
LONGEST_CLAIM = 1200
LONGEST_PROBLEM = 300
MOST_TIMES = 60
REPEATED_WORDS = 6
DAY_SECONDS = 86_400

_DATE = re.compile(
    r"\b(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?(?:Z|\+00:00)?"
)
_CLOCK = re.compile(r"(?<![\w:.-])(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?![\w:])Z?")
_VERSION = re.compile(r"(?<![\w.])v?\d+(?:\.\d+){2,}[\w.+-]*")
_QUOTED = re.compile(r"\"([^\"]{1,400})\"|`([^`]{1,400})`|“([^”]{1,400})”")
_IDENTIFIER = re.compile(r"(?<![\w])(?=[\w./:-]*[A-Za-z])[A-Za-z_][\w]*(?:[./:-][\w]+)*")
_NUMBER = re.compile(
    r"(?<![\w.])([-+\u2212]?)(\d{1,3}(?:[,\u202f ]\d{3})+(?!\d)|\d+)(\.\d+)?([eE][-+]?\d{1,2})?"
    r"(?:([kKMG])(?![A-Za-z]))?"
    r"\s?[-\s]?(%|\u00d7|(?:[A-Za-z]+\s?)?/\s?(?:s(?:ec)?|min|h)\b"
    r"|(?:[A-Za-z]+ )?per (?:second|minute|hour)\b"
    r"|(?:requests?|tokens?) an? (?:second|minute|hour)\b|[A-Za-zµ]+)?"
)
_PROPER = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}\w*")
# A ratio may be printed bare where the words before it say that it is one.
_SHARE = re.compile(r"(?:share|ratio|fraction|factor)s?(?: of| is| was| at)? ?$", re.IGNORECASE)
# The times between which a distance may be told.
_MOMENTS = frozenset({"onset", "fired at", "ended at", "changed at", "moved at"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Cited:
    """What the cited evidence holds, ready to be searched."""

    quantities: tuple[tuple[float, str], ...]
    times: tuple[float, ...]
    text: str
    literals: frozenset[str] = field(default_factory=frozenset)
    distances: tuple[float, ...] = ()
    states: frozenset[str] = frozenset()
    changes: tuple[float, ...] = ()
    moments: Moments = field(default_factory=dict)


def cited(evidence: Iterable[Evidence]) -> Cited:
    """Collect the numbers, times and texts of some evidence."""
    members = list(evidence)
    quantities = [q for each in members for q in each.quantities]
    times = [q.value for q in quantities if q.unit == "timestamp"]
    times += [q.at for q in quantities if q.at is not None]
    times += [edge for each in members for edge in (each.window.start, each.window.end)]
    texts = [text for each in members for text in _texts(each)]
    plain = " ".join(t for each in members for t in (each.title, *each.facts.values()))
    return Cited(
        quantities=tuple((q.value, _unit(q)) for q in quantities),
        times=tuple(sorted(set(times))[:MOST_TIMES]),
        text=_flat(" ".join(texts)),
        literals=frozenset(re.findall(r"\d+(?:\.\d+)?", plain)),
        distances=tuple(_distances(members)),
        states=frozenset(state for each in members for state in states_of(each)),
        moments=moments_of(members),
        changes=tuple(change for each in members if (change := change_of(each)) is not None),
    )


def _unit(quantity: Quantity) -> str:
    """Give its unit; how many times as much is no share, though both are ratios."""
    return "factor" if quantity.name == FACTOR else quantity.unit


def _distances(members: Sequence[Evidence]) -> Iterator[float]:
    """Give the seconds between named moments, and from when it was asked to what is to come."""
    stamps = [q for each in members for q in each.quantities if q.unit == "timestamp"]
    moments = sorted({q.value for q in stamps if q.name in _MOMENTS})[:MOST_TIMES]
    for early, late in itertools.combinations(moments, 2):
        yield late - early
    for asked in (each.window.end for each in members if each.source == "alert"):
        yield from (q.value - asked for q in stamps if q.value > asked)


def _texts(evidence: Evidence) -> Iterator[str]:
    yield from (evidence.id, evidence.title, evidence.source, evidence.component or "")
    # The query of an analyst is its own words, and no witness of them.
    yield from (() if ASKED_BY in evidence.facts else (evidence.query,))
    yield evidence.detail
    for name, value in evidence.facts.items():
        yield from (name, value)
    for quantity in evidence.quantities:
        yield from (quantity.name, *quantity.labels, *quantity.labels.values())


def _outside(evidence: Evidence) -> Iterator[str]:
    """Give the free texts of evidence that others wrote: annotations, answers, comments, pages."""
    yield evidence.detail
    for name, value in evidence.facts.items():
        free = name.startswith("annotation ") or name.endswith((" excerpt", " detail"))
        if free or name == "title" or re.fullmatch(r"(?:silence|change) \d+", name):
            yield value


def _runs(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Give every run of so many words in a row."""
    for text in texts:
        words = re.findall(r"\w+|\u2026", text.lower())
        for start in range(len(words) - REPEATED_WORDS + 1):
            yield tuple(words[start : start + REPEATED_WORDS])


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).lower()


class Ground:
    """The evidence of one incident; grounds any number of claims."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        """Index the evidence by id, and collect the names that are known anywhere in it."""
        self._evidence = {each.id: each for each in evidence}
        self._everything = cited(evidence)
        named = {each.component or "" for each in evidence}
        named |= {
            value
            for each in evidence
            for key, value in each.facts.items()
            if key in {"target", "service", "label target", "metric"}
        }
        self.names = frozenset(name for name in named if len(name) > 1)
        self._of = subjects_of(evidence)
        alerts = {each.facts.get("label alertname", "") for each in evidence} - {""}
        self._subjects = frozenset(name.lower() for name in self.names | alerts)
        self._outside = frozenset(_runs(text for each in evidence for text in _outside(each)))

    def claim(self, claim: Claim) -> Claim:
        """Return the claim with its standing; an unverified one says why."""
        problem = self._problem(claim)
        standing = Standing.UNVERIFIED if problem else Standing.VERIFIED
        return claim.model_copy(
            update={"standing": standing, "problem": line(problem, LONGEST_PROBLEM)}
        )

    def _problem(self, claim: Claim) -> str:
        if not claim.text.strip():
            return "the claim is empty"
        if len(claim.text) > LONGEST_CLAIM:
            return f"the claim is longer than {LONGEST_CLAIM} characters"
        unknown = [each for each in claim.evidence if each not in self._evidence]
        if unknown or not claim.evidence:
            return f"there is no evidence {unknown[0][:20]}" if unknown else "no evidence is cited"
        members = [self._evidence[each] for each in claim.evidence]
        answered = [each for each in members if each.status is Status.OK]
        if not answered:
            return f"the cited evidence is {members[0].status.value}: it shows nothing"
        known = cited(answered)
        problem = self.text_problem(claim.text, known) or self._misplaced(claim.text, answered)
        if problem:
            return problem
        return "" if self._checkable(claim.text, known) else "nothing in it can be checked"

    def _checkable(self, text: str, known: Cited) -> bool:
        """Say whether anything in a text can be looked up; call it once all of it was found."""
        patterns = (_NUMBER, _DATE, _CLOCK, _VERSION, _QUOTED, _PROPER)
        if any(pattern.search(text) for pattern in patterns) or any(factors(text)):
            return True
        if known.states and has_state(text):
            return True
        words = {found.group() for found in _IDENTIFIER.finditer(text)}
        if any(_is_name(word, self.names) for word in words):
            return True
        flat = _flat(text)
        return any(
            name in known.text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", flat)
            for name in self._subjects
        )

    def text_problem(self, text: str, known: Cited) -> str:
        """Return what in a text is not in the evidence, empty when all of it is."""
        if self._outside.intersection(_runs([_QUOTED.sub(" \u2026 ", text)])):
            return "repeats a text from outside without quoting it"
        missing = [*_times(text, known), *_names(text, known, self.names)]
        plain = _without_names(text)
        missing += _numbers(plain, known)
        missing += [word for word, value in factors(plain) if not _factor_known(value, known)]
        missing += [*wrong_states(plain, known.states), *wrong_directions(plain, known.changes)]
        missing += wrong_order(text, known.moments, self.names)
        missing += [
            name
            for name in _PROPER.findall(text)
            if name.lower() not in known.text and name.lower() not in self._everything.text
        ]
        if not missing:
            return ""
        return "not in the cited evidence: " + ", ".join(dict.fromkeys(missing))

    def _misplaced(self, text: str, members: Sequence[Evidence]) -> str:
        """Return what is in the cited evidence, but of something else than the clause speaks of."""
        distances = cited(members).distances
        for clause, named in clauses(_QUOTED.sub(" \u2026 ", text), self._of):
            own = list(of_subjects(members, named, self._of)) if named else members
            known = replace(cited(own), distances=distances)
            plain = _without_names(clause)
            missing = [*_numbers(plain, known), *wrong_directions(plain, known.changes)]
            missing += [word for word, value in factors(plain) if not _factor_known(value, known)]
            if missing:
                return f"not of {', '.join(sorted(named))}: {', '.join(missing)}"
        return ""

    def prose_problem(self, text: str) -> str:
        """Return what in a text that cites nothing is in no evidence at all."""
        return self.text_problem(text, self._everything)

    def id_of(self, source: str) -> str:
        """Return the id of the first evidence of a source, empty when there is none."""
        return next((e.id for e in self._evidence.values() if e.source == source), "")

    def of(self, ids: Iterable[str]) -> Cited:
        """Collect what some evidence holds, unknown ids left out."""
        return cited(self._evidence[each] for each in ids if each in self._evidence)


def _times(text: str, known: Cited) -> Iterator[str]:
    for found in _DATE.finditer(text):
        if not _date_known(found, known):
            yield found.group().strip()
    for found in _CLOCK.finditer(_DATE.sub(" ", text)):
        if not _clock_known(found, known):
            yield found.group().strip()


def _date_known(found: re.Match[str], known: Cited) -> bool:
    year, month, day, hour, minute, second = found.groups()
    if found.group().lower() in known.text:
        return True
    try:
        numbers = (int(each or 0) for each in (year, month, day, hour, minute, second))
        at = dt.datetime(*numbers, tzinfo=dt.UTC).timestamp()  # type: ignore[arg-type, misc]
    except ValueError:
        return False
    width = DAY_SECONDS if hour is None else 60.0 if second is None else 1.0
    return any(at - 1 <= each < at + width + (1 if width < 60 else 0) for each in known.times)


def _clock_known(found: re.Match[str], known: Cited) -> bool:
    hour, minute, second = found.groups()
    at = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:
        return found.group().lower() in known.text
    for each in known.times:
        off = each % DAY_SECONDS - at
        off = (off + DAY_SECONDS / 2) % DAY_SECONDS - DAY_SECONDS / 2
        if (-1 <= off < 60) if second is None else (-1 <= off < 2):
            return True
    return False


def _names(text: str, known: Cited, names: frozenset[str]) -> Iterator[str]:
    for found in _QUOTED.finditer(text):
        quoted = next(each for each in found.groups() if each is not None)
        if _flat(quoted).strip(" .,…") not in known.text:
            yield f'"{quoted[:60]}"'
    for version in _VERSION.findall(text):
        if version.lower() not in known.text:
            yield version
    for found in _IDENTIFIER.finditer(_QUOTED.sub(" ", _VERSION.sub(" ", text))):
        word = found.group()
        if _is_name(word, names) and word.lower() not in known.text:
            yield word


def _is_name(word: str, names: frozenset[str]) -> bool:
    """Say whether a word must stand in the evidence: a known name, or one made as names are."""
    if word in names:
        return True
    if re.fullmatch(r"[A-Za-z]+(?:[-/][A-Za-z]+)*", word):
        return False  # plain words, with hyphens or slashes
    return "_" in word or ":" in word or any(character.isdigit() for character in word)


def _without_names(text: str) -> str:
    """Leave the numbers that are numbers: times, versions, quotations and names are taken out."""
    for pattern in (_QUOTED, _DATE, _CLOCK, _VERSION, _IDENTIFIER_WITH_DIGIT):
        text = pattern.sub(" \u2026 ", text)
    return text


_IDENTIFIER_WITH_DIGIT = re.compile(r"(?<![\w.])[A-Za-z_][\w]*(?:[./:-]\w+)*\d[\w./:-]*")


def _numbers(text: str, known: Cited) -> Iterator[str]:
    for found in _NUMBER.finditer(text):
        sign, whole, fraction, exponent, scale, unit = found.groups()
        digits = re.sub(r"[,\u202f ]", "", whole) + (fraction or "") + (exponent or "")
        value = float(digits) * (-1 if sign in {"-", "\u2212"} else 1)
        resolution = 0.5 * 10.0 ** -(len(fraction or ".") - 1)
        dimension, size = dimension_of(unit or "")
        if not dimension and not scale and _SHARE.search(text[: found.start()]):
            dimension = "ratio"
        size *= SCALES.get(scale or "", 1.0)
        if exponent:
            resolution *= 10.0 ** int(exponent[1:])
        near = abs(resolution * size)
        plain = dimension == "" and not scale and digits in known.literals
        if not plain and not _number_known(value * size, near, dimension, known):
            shown = found.group().strip()
            yield (
                shown
                if dimension
                else f"{sign}{whole}{fraction or ''}{exponent or ''}{scale or ''}"
            )


def _number_known(value: float, near: float, dimension: str, known: Cited) -> bool:
    fits = FITS[dimension]
    for quantity, unit in known.quantities:
        if unit in fits and _same(value, quantity, near):
            return True
    if dimension != "seconds":
        return False
    return any(_same(abs(value), each, near) for each in known.distances)


def _factor_known(value: float, known: Cited) -> bool:
    return any(
        _same(value, quantity, 0.25)
        for quantity, unit in known.quantities
        if unit in {"factor", "count"}
    )


def _same(printed: float, stored: float, near: float) -> bool:
    off = min(abs(printed - stored), abs(abs(printed) - abs(stored)))
    return off <= max(near * (1 + 1e-9), TOLERANCE_RATIO * abs(stored))
