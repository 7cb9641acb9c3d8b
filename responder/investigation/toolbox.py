"""Makes the calls that a model asked for: on the list alone, typed, bounded, each question once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pydantic
import structlog

import responder.investigation.tools  # noqa: F401 - its plug-ins register themselves
from responder.guard import line
from responder.investigation.evidence import Evidence, Status
from responder.investigation.prompt import shown
from responder.investigation.tool import Bench, Tool, tools
from responder.investigation.turns import Asked, Looked, Result

log = structlog.get_logger(__name__)

MOST_CALLS_A_TURN = 8
MOST_CALLS = 24
LONGEST_LOOK_SECONDS = 8.0
LONGEST_RESULT = 8000
MOST_EVIDENCE_A_CALL = 6

Told = Callable[[str, str], None]
"""Told of each call: the tool and the outcome; of a tool that there is not, its name is `other`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Toolbox:
    """The tools that are of use at one bench."""

    bench: Bench
    told: Told

    @property
    def offered(self) -> tuple[str, ...]:
        """The names of the tools on offer."""
        return tuple(kind for kind, tool in tools.items() if tool.serves(self.bench))

    def described(self) -> list[dict[str, Any]]:
        """Give the tools on offer in the form of the API's `tools`."""
        return [described(kind) for kind in self.offered]

    async def look(
        self,
        calls: Sequence[Asked],
        known: Mapping[str, Result],
        earlier: tuple[Evidence, ...],
        made: int,
        left_seconds: float,
    ) -> Looked:
        """Make calls side by side; what was asked before is answered from what is *known*.

        *made* is how many calls there were before.
        """
        bench = replace(self.bench, earlier=earlier)
        bench = replace(bench, question=_until(bench, min(left_seconds, LONGEST_LOOK_SECONDS)))
        room = max(0, min(MOST_CALLS_A_TURN, MOST_CALLS - made))
        plans = [_Plan.of(each, self.offered, has_room=n < room) for n, each in enumerate(calls)]
        first = {plan.key: n for n, plan in reversed(list(enumerate(plans))) if plan.key}
        asked = [
            n
            for n, plan in enumerate(plans)
            if plan.tool is not None and plan.key not in known and first[plan.key] == n
        ]
        found = await asyncio.gather(
            *(_look(plans[n], bench, min(left_seconds, LONGEST_LOOK_SECONDS)) for n in asked)
        )
        brought = dict(zip(asked, found, strict=True))
        return self._together(plans, brought, known, _next_number(bench))

    def _together(
        self,
        plans: Sequence[_Plan],
        brought: Mapping[int, Sequence[Evidence]],
        known: Mapping[str, Result],
        number: int,
    ) -> Looked:
        """Give what came numbers in the order of the calls, and say what came of each."""
        results: list[Result] = []
        evidence: list[Evidence] = []
        by_key = dict(known)
        for n, plan in enumerate(plans):
            if n in brought:
                named = [
                    each.model_copy(update={"id": f"E{number + len(evidence) + offset}"})
                    for offset, each in enumerate(brought[n])
                ]
                evidence += named
                result = _result(plan, named)
            elif plan.key and plan.key in by_key:
                result = _again(plan, by_key[plan.key])
            else:
                result = plan.refusal()
            by_key.setdefault(plan.key, result)
            results.append(result)
            name = plan.asked.name if plan.asked.name in tools.kinds() else "other"
            self.told(name, result.outcome)
        return Looked(results=tuple(results), evidence=tuple(evidence))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """A call as it was read: a tool with its arguments, or why it is not made."""

    asked: Asked
    tool: Tool | None = None
    key: str = ""
    problem: str = ""
    is_refused: bool = False

    @classmethod
    def of(cls, asked: Asked, offered: Sequence[str], *, has_room: bool) -> _Plan:
        if asked.name not in offered:
            problem = f"there is no such tool; on offer are {', '.join(offered)}"
            return cls(asked=asked, problem=problem, is_refused=True)
        if not has_room:
            problem = "not made: too many calls; go on with what there is"
            return cls(asked=asked, problem=problem, is_refused=True)
        try:
            tool = _read(asked)
        except ValueError as error:
            return cls(asked=asked, problem=str(error))
        return cls(asked=asked, tool=tool, key=_key(asked.name, tool))

    def refusal(self) -> Result:
        return Result(
            name=line(self.asked.name, 64),
            key=self.key,
            outcome="refused" if self.is_refused else "invalid",
            text=self.problem,
        )


def _read(asked: Asked) -> Tool:
    """Read a call's arguments; raises ValueError that does not repeat their values."""
    given = asked.arguments
    try:
        text = given if isinstance(given, str) else json.dumps(given)
        model: Any = tools.get(asked.name)
        read: Tool = model.model_validate_json(text or "{}")
    except pydantic.ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        named = "; ".join(
            f"{line('.'.join(map(str, each['loc'])), 80) or 'arguments'}: {line(each['msg'], 160)}"
            for each in faults[:5]
        )
        raise ValueError(f"arguments refused: {named}") from None
    except (TypeError, ValueError, RecursionError):
        raise ValueError("arguments are not JSON") from None
    return read


def _key(name: str, tool: Any) -> str:
    """Give what two calls that ask the same have in common."""
    text = json.dumps([name, tool.model_dump(mode="json")], sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


async def _look(plan: _Plan, bench: Bench, seconds: float) -> Sequence[Evidence]:
    tool, name = plan.tool, plan.asked.name
    assert tool is not None  # noqa: S101 - plans without one are not looked at
    try:
        async with asyncio.timeout(seconds + 0.5):
            found = await tool.look(bench)
    except TimeoutError:
        detail = "no answer in time"
        return [bench.made("tool", name, name, Status.UNAVAILABLE, detail=detail)]
    except Exception as error:  # the analysis goes on, whatever a tool does
        log.warning("tool failed", tool=name, reason=type(error).__name__, exc_info=True)
        detail = f"the tool failed ({type(error).__name__})"
        return [bench.made("tool", name, name, Status.FAILED, detail=detail)]
    return list(found)[:MOST_EVIDENCE_A_CALL]


def _until(bench: Bench, seconds: float) -> Any:
    return replace(bench.question, deadline_seconds=max(0.1, seconds))


def _next_number(bench: Bench) -> int:
    known = (*bench.brief.evidence, *bench.earlier)
    return 1 + max((int(e.id[1:]) for e in known if e.id[1:].isdigit()), default=0)


def _result(plan: _Plan, found: Sequence[Evidence]) -> Result:
    statuses = {each.status for each in found}
    outcome: Any = "failed"
    if Status.OK in statuses:
        outcome = "ok"
    elif Status.EMPTY in statuses or not found:
        outcome = "empty"
    return Result(
        name=plan.asked.name,
        key=plan.key,
        outcome=outcome,
        text=shown(found, LONGEST_RESULT) if found else "nothing",
        evidence=tuple(each.id for each in found),
    )


def _again(plan: _Plan, before: Result) -> Result:
    where = ", ".join(before.evidence) or "the answer above"
    return Result(
        name=plan.asked.name,
        key=plan.key,
        outcome="again",
        text=f"asked before: see {where}",
        evidence=before.evidence,
    )


def described(kind: str) -> dict[str, Any]:
    """Give one tool in the form of the API's `tools`."""
    model: Any = tools.get(kind)
    schema = model.model_json_schema()
    text = " ".join(str(schema.pop("description", "")).split())
    schema.pop("title", None)
    return {
        "type": "function",
        "function": {"name": kind, "description": text, "parameters": schema},
    }
