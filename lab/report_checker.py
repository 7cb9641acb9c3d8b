"""Reads a report again, apart from the program that wrote it: numbers, links and ledger.

It knows the JSON of `/api/v1/incidents/{id}` and how people write numbers, and nothing else of the
responder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from toolkit.rereading import claims, marks, unfounded


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
    numbers = sum(1 for text, _ in claims(report) for _ in marks(text))
    problems = unfounded(report, evidence)
    links = sorted({each["link"] for each in evidence.values() if each["link"]})
    problems += [each for link in links if (each := await _opened(link, session))]
    problems += ledger(report, evidence, kinds)
    return Checked(
        numbers=numbers,
        links=len(links),
        rows=len(report["coverage"]),
        problems=tuple(problems),
    )


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
