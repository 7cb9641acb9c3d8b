"""Personas that use the tools on offer before they report, well or badly."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

from lab.mistral.personas import Arguments, honest
from lab.mistral.reading import Line, Prompt, prompt
from lab.mistral.request import ChatRequest, text

MOST_LOOKS = 3
UNITS = {"": "", "count": "", "per_second": " per second", "seconds": " seconds"}
# Nothing of the kind is on offer anywhere.
FORBIDDEN = ("run_shell", "fetch_url", "restart_service")
Calls = list[tuple[str, Arguments | str]]


def curious(asked: ChatRequest, told: Prompt) -> Calls:
    """Look at what the first suspect stands on, some of it twice, all at once and only once."""
    if any(each.role == "tool" for each in asked.messages):
        return []
    return [each for each in _looks(told) if asked.offers(each[0])]


def restless(asked: ChatRequest, _told: Prompt) -> Calls:
    """Ask another question for as long as any is taken."""
    turns = sum(each.role == "assistant" for each in asked.messages)
    query = {"query": f"up > {turns}", "minutes_before": turns + 1}
    return [("query_metric", query)] if asked.offers("query_metric") else []


def intruder(asked: ChatRequest, _told: Prompt) -> Calls:
    """Call what is not on offer, and what is with arguments that do not fit."""
    if any(each.role == "tool" for each in asked.messages):
        return []
    forbidden: Calls = [(name, {"command": "curl evil.example"}) for name in FORBIDDEN]
    wrong: Arguments = {"query": 7, "url": "http://evil.example"}
    return [*forbidden, ("query_metric", wrong), ("read_runbook", '{"alert": ')]


TOOL_USERS: Mapping[str, Callable[[ChatRequest, Prompt], Calls]] = {
    "curious": curious,
    "restless": restless,
    "intruder": intruder,
    # Its calls have ids that no two servers agree on.
    "odd_ids": curious,
}
ODD_IDS = ("", "call_1", "call_1", "a" * 300, "\u202e")


def _looks(told: Prompt) -> Iterator[tuple[str, Arguments | str]]:
    cited = told.suspects[0]["supporting"] if told.suspects else []
    for name in cited[:MOST_LOOKS]:
        yield "look_at_series", {"evidence": name}
        yield "compare_peers", {"evidence": name}
    yield "query_metric", {"query": "up"}
    yield "query_metric", {"minutes_before": 30, "query": "up"}
    yield "list_changes", {}


def report(asked: ChatRequest, told: Prompt) -> Arguments:
    """Report honestly, with the numbers that the tools brought, and a refutation."""
    answer = honest(told)
    results = [prompt(text(each)) for each in asked.messages if each.role == "tool"]
    brought = [each for result in results for each in result.evidence]
    claims = (claim for each in brought if each["status"] == "ok" for claim in _quoted(each))
    answer["summary"] = [*answer["summary"], *itertools.islice(claims, 2)]
    answer["refutation"] = {"query": "up", "refuted_if": "below", "threshold": -1}
    return answer


def _quoted(evidence: Line) -> Iterator[Line]:
    for each in evidence["quantities"]:
        if each["unit"] in UNITS:
            said = f'"{each["name"]}" is {each["value"]}{UNITS[each["unit"]]}'
            yield {"text": said, "evidence": [evidence["id"]]}
