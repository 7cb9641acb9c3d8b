"""Prometheus's HTTP API as questions: bounded, parsed before they are sent, errors inside 200 seen.

Wire format: https://prometheus.io/docs/prometheus/latest/querying/api/; Thanos, Mimir and
VictoriaMetrics speak the same for queries, rules and series, but not all of them know targets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from responder.guard import line
from responder.investigation.evidence import Status
from responder.promql import QueryError, checked, duration
from responder.remote import LONGEST_PROBLEM, Answer, Remote, failed
from responder.series import Grid

CONCURRENT_QUERIES = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Api:
    """One Prometheus; at most so many queries run at once, so that it is not loaded by us."""

    remote: Remote
    limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENT_QUERIES))

    async def range(self, query: str, grid: Grid) -> Answer:
        """Ask for a range; the body is the list of series."""
        form = {
            "query": query,
            "start": f"{grid.start:.3f}",
            "end": f"{grid.end:.3f}",
            "step": f"{grid.step:.3f}",
        }
        return await self._query("/api/v1/query_range", form)

    async def instant(self, query: str, at: float | None) -> Answer:
        """Ask for an instant, now where it is None; the body is the list of samples or series."""
        time = {} if at is None else {"time": f"{at:.3f}"}
        return await self._query("/api/v1/query", {"query": query, **time})

    async def _query(self, path: str, form: dict[str, str]) -> Answer:
        try:
            checked(form["query"])
        except QueryError as error:
            return failed(f"not PromQL, not sent: {error}")
        async with self.limit:
            timeout = duration(max(0.1, self.remote.left_seconds))
            answer = await self.remote.post(path, {**form, "timeout": timeout})
        return _read(answer, _result)

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Ask for one of the other resources; the body is its `data`."""
        async with self.limit:
            return _read(await self.remote.get(path, params), lambda data: data)


def _result(data: Any) -> list[Any]:
    result = data["result"]
    if not isinstance(result, list) or data.get("resultType") not in {"vector", "matrix"}:
        raise ValueError("the result is neither vector nor matrix")
    for sample in result:
        if not isinstance(sample, Mapping) or not isinstance(sample.get("metric"), Mapping):
            raise ValueError("a sample has no labels")  # noqa: TRY004 - bad data, not a bad call
    return result


def _read(answer: Answer, part: Callable[[Any], Any]) -> Answer:
    """Look inside a 200: it may carry an error, or warnings of a partial answer."""
    if answer.status is not Status.OK:
        return answer
    body = answer.body
    try:
        if body["status"] != "success":
            return failed(f"answered {body.get('errorType')}: {body.get('error')}")
        warnings = [str(each) for each in body.get("warnings") or ()]
        data = part(body["data"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return failed(f"the answer is not of the API's shape ({type(error).__name__}: {error})")
    problem = line("partial: " + "; ".join(warnings), LONGEST_PROBLEM) if warnings else ""
    return Answer(status=Status.OK, body=data, problem=problem, seconds=answer.seconds)
