"""Reads the claims of a report again in the evidence they cite: numbers, times and names.

Apart from the program that wrote the report: it knows the JSON of `/api/v1/incidents/{id}` and how
people write numbers, and nothing else of the responder.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "days": 86400.0}
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_CLOCK = re.compile(r"(?<![\w:.-])\d{1,2}:\d{2}:\d{2}(?![\w:])")
_DATE = re.compile(r"(?<![\w-])\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?![\w:])")
_NUMBER = re.compile(
    r"(?<![\w.:/-])(?P<digits>\d+(?:\.\d+)?)"
    r"(?: ?(?P<unit>ms|min|days|s|h|kB|MB|GB|B|%|/s|x)(?!\w))?"
    r"(?![\w:]|\.\d|-\w)"
)
_QUOTED = re.compile(r'"[^"]*"')
_DAY_SECONDS = 86400.0
_FACTOR = "times as much"


def unfounded(report: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Give what stands as true in a report and not in the evidence that it cites, by id."""
    problems = []
    known = {str(each["component"]) for each in evidence.values() if each["component"]}
    for text, ids in claims(report):
        cited = [evidence[each] for each in ids if each in evidence]
        problems += [
            f"cites {each}, which there is not: {text}" for each in ids if each not in evidence
        ]
        for mark in marks(text):
            if not mark.is_in(cited):
                problems.append(f"{mark.text!r} is in none of {', '.join(ids)}: {text}")
        for name in names(text, known):
            if not any(_stands_in(name, words) for each in cited for words in _texts(each)):
                problems.append(f"{name!r} is in none of {', '.join(ids)}: {text}")
    return problems


def names(text: str, known: Iterable[str]) -> Iterator[str]:
    """Yield the known names that a sentence names outside of quotation marks."""
    plain = _QUOTED.sub(" ", text)
    for name in known:
        if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", plain):
            yield name


def claims(report: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield every sentence that stands as true, with the evidence it cites."""
    for each in (*report["summary"], *report["ruled_out"]):
        yield each["text"], each["evidence"]
    for cause in report["causes"]:
        for each in cause["claims"]:
            yield each["text"], each["evidence"]
    for moment in report["timeline"]:
        at = dt.datetime.fromtimestamp(moment["at"], dt.UTC)
        yield f"{at:%H:%M:%S}", moment["evidence"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A number as it is written in a sentence; it may be off by half of its last digit."""

    text: str
    unit: str
    value: float
    half_digit: float

    def is_in(self, cited: Sequence[Mapping[str, Any]]) -> bool:
        """Tell whether the cited evidence has it: as a quantity, or as it stands in a text."""
        if any(_stands_in(self.text, words) for each in cited for words in _texts(each)):
            return True
        quantities = [q for each in cited for q in each["quantities"]]
        return any(self._is(value) for value in _values(self.unit, quantities))

    def _is(self, value: float) -> bool:
        if self.unit == "clock":
            gap = abs(value % _DAY_SECONDS - self.value)
            return min(gap, _DAY_SECONDS - gap) <= 1.0
        return abs(value - self.value) <= self.half_digit


def marks(text: str) -> Iterator[Mark]:
    """Yield the numbers and times of a sentence; what it quotes is a text, not a number."""
    for quoted in _QUOTED.findall(text):
        text = text.replace(quoted, " ")
    for found in _CLOCK.findall(text):
        hours, minutes, seconds = map(int, found.split(":"))
        value = hours * 3600.0 + minutes * 60.0 + seconds
        yield Mark(text=found, unit="clock", value=value, half_digit=1.0)
    for found in _DATE.findall(text):
        at = dt.datetime.strptime(found, "%Y-%m-%d %H:%M").replace(tzinfo=dt.UTC)
        yield Mark(text=found, unit="date", value=at.timestamp(), half_digit=60.0)
    plain = _DATE.sub(" ", _CLOCK.sub(" ", text))
    for match in _NUMBER.finditer(plain):
        digits, unit = match["digits"], match["unit"] or ""
        scale = {**_SECONDS, **_BYTES, "%": 0.01}.get(unit, 1.0)
        places = len(digits.partition(".")[2])
        yield Mark(
            text=match.group().strip(),
            unit=unit,
            value=float(digits) * scale,
            half_digit=0.51 * 10**-places * scale,
        )


def _values(unit: str, quantities: Sequence[Mapping[str, Any]]) -> Iterator[float]:
    """Yield what the quantities say in a unit; times differ by spans, and levels by factors."""
    times = [float(q["value"]) for q in quantities if q["unit"] == "timestamp"]
    if unit in {"clock", "date"}:
        yield from times
    elif unit in _SECONDS:
        yield from _of(quantities, "seconds")
        yield from (abs(one - other) for one, other in itertools.combinations(times, 2))
    elif unit in _BYTES:
        yield from _of(quantities, "bytes")
    elif unit == "%":
        yield from _of([q for q in quantities if q["name"] != _FACTOR], "ratio")
    elif unit == "/s":
        yield from _of(quantities, "per_second")
    elif unit == "x":
        yield from _of([q for q in quantities if q["name"] == _FACTOR], "ratio")
    else:
        yield from (float(q["value"]) for q in quantities)


def _of(quantities: Sequence[Mapping[str, Any]], unit: str) -> Iterator[float]:
    return (float(q["value"]) for q in quantities if q["unit"] == unit)


def _texts(evidence: Mapping[str, Any]) -> Iterator[str]:
    yield evidence["title"]
    yield evidence["component"] or ""
    yield from evidence["facts"].values()
    for quantity in evidence["quantities"]:
        yield from quantity["labels"].values()


def _stands_in(mark: str, words: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(mark)}(?![\w.]*\d)", words) is not None
