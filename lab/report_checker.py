"""Reads a report again, apart from the program that wrote it: numbers, links and ledger.

It knows the JSON of `/api/v1/incidents/{id}` and how people write numbers, and nothing else of the
responder.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """How much was read again, and what was not found."""

    numbers: int
    links: int
    rows: int
    problems: tuple[str, ...]

    def __str__(self) -> str:
        """Say it in a line, the first problem with it."""
        done = f"{self.numbers} numbers, {self.links} links, {self.rows} rows of the ledger"
        return f"{done}: {self.problems[0]}" if self.problems else f"{done} read again"


async def check(
    incident: Mapping[str, Any], session: aiohttp.ClientSession, kinds: Iterable[str]
) -> Checked:
    """Read the report of an incident again; *kinds* are the sources that were configured."""
    report, evidence = incident["report"], {each["id"]: each for each in incident["evidence"]}
    numbers, problems = 0, []
    for text, ids in claims(report):
        missing = [each for each in ids if each not in evidence]
        problems += [f"cites {each}, which there is not: {text}" for each in missing]
        cited = [evidence[each] for each in ids if each in evidence]
        for mark in marks(text):
            numbers += 1
            if not mark.is_in(cited):
                problems.append(f"{mark.text!r} is in none of {', '.join(ids)}: {text}")
    links = sorted({each["link"] for each in evidence.values() if each["link"]})
    problems += [each for link in links if (each := await _opened(link, session))]
    problems += ledger(report, evidence, kinds)
    return Checked(
        numbers=numbers,
        links=len(links),
        rows=len(report["coverage"]),
        problems=tuple(problems),
    )


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
        yield from _of(quantities, "ratio")
    elif unit == "/s":
        yield from _of(quantities, "per_second")
    elif unit == "x":
        yield from _of(quantities, "ratio")
    else:
        yield from (float(q["value"]) for q in quantities)


def _of(quantities: Sequence[Mapping[str, Any]], unit: str) -> Iterator[float]:
    return (float(q["value"]) for q in quantities if q["unit"] == unit)


def _texts(evidence: Mapping[str, Any]) -> Iterator[str]:
    yield evidence["title"]
    yield from evidence["facts"].values()
    for quantity in evidence["quantities"]:
        yield from quantity["labels"].values()


def _stands_in(mark: str, words: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(mark)}(?![\w.]*\d)", words) is not None


def ledger(
    report: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]], kinds: Iterable[str]
) -> Iterator[str]:
    """Yield what the ledger leaves out: evidence, its status, or a source that was configured."""
    rows = {each["evidence"]: each for each in report["coverage"]}
    for name, each in evidence.items():
        if name not in rows:
            yield f"the ledger has no row for {name} ({each['source']}: {each['title']})"
        elif rows[name]["status"] != each["status"]:
            yield f"the ledger says {rows[name]['status']} of {name}, which is {each['status']}"
    told = {each["source"] for each in report["coverage"]}
    for kind in kinds:
        if kind not in told:
            yield f"the ledger says nothing of the source {kind}"


async def _opened(link: str, session: aiohttp.ClientSession) -> str:
    """Say what is wrong with a link; a graph is asked for as data, where pages may be missing."""
    parts = urlsplit(link)
    if parts.path.endswith("/graph"):
        expression = parse_qs(parts.query).get("g0.expr", [""])[0]
        path = f"{parts.path.removesuffix('/graph')}/api/v1/query"
        url, params = parts._replace(path=path, query="").geturl(), {"query": expression}
    else:
        url, params = link, {}
    try:
        async with session.get(url, params=params, allow_redirects=False) as response:
            return "" if response.status == 200 else f"{link} answers {response.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"{link} does not open: {type(error).__name__}"
