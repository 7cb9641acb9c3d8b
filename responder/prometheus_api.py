"""Prometheus's HTTP API as questions: bounded, parsed before they are sent, errors inside 200 seen.

Wire format: https://prometheus.io/docs/prometheus/latest/querying/api/; Thanos, Mimir and
VictoriaMetrics speak the same for queries, rules and series, but not all of them know targets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from responder.guard import line
from responder.investigation.evidence import Status
from responder.investigation.sharing import Moment
from responder.promql import QueryError, checked, duration
from responder.remote import LONGEST_PROBLEM, Answer, Remote, failed
from responder.series import Grid

CONCURRENT_QUERIES = 6

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Api:
    """One Prometheus; at most so many queries run at once, so that it is not loaded by us.

    `moment` is shared with whoever else asks the same server now, with the same credentials.
    """

    remote: Remote
    limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENT_QUERIES))
    moment: Moment = field(default_factory=Moment)

    async def shared(
        self, key: Hashable, ask: Callable[[], Awaitable[T]], is_good: Callable[[T], bool]
    ) -> T:
        """Give what another just asked for by this *key*, else *ask*; not to be changed."""
        whose = (self.remote.identity, key)
        return await self.moment.once(whose, ask, is_good=is_good, until=self.remote.until)

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
        form = {"query": query, **time}
        return await self.shared(
            ("instant", query, time.get("time")),
            lambda: self._query("/api/v1/query", form),
            _is_ok,
        )

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

        async def ask() -> Answer:
            async with self.limit:
                return _read(await self.remote.get(path, params), lambda data: data)

        return await self.shared(("get", path, *sorted((params or {}).items())), ask, _is_ok)


def _is_ok(answer: Answer) -> bool:
    return answer.status is Status.OK


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
    return replace(answer, body=data, problem=problem)
