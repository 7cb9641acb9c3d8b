"""How a model reads the request: blocks of one JSON object a line, each between two tags."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_BLOCK = re.compile(r"^<(\w+)>[ \t]*\n(.*?)^</\1>[ \t]*$", re.MULTILINE | re.DOTALL)

Line = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What stands in the blocks of a user message."""

    incident: Line
    suspects: Sequence[Line] = ()
    evidence: Sequence[Line] = ()
    changes: Sequence[Line] = ()
    runbooks: Sequence[Line] = ()

    def find(self, identity: str) -> Line | None:
        """Give the evidence of an id."""
        return next((each for each in self.evidence if each["id"] == identity), None)


def prompt(text: str) -> Prompt:
    """Read the blocks of a user message; what is no JSON object is left out.

    A field that is missing or of another type than it should be is as if it were empty.
    """
    blocks = {name: _lines(inside) for name, inside in _BLOCK.findall(text)}
    suspects = sorted(blocks.get("suspects", ()), key=_rank)
    return Prompt(
        incident=next(iter(blocks.get("incident", ())), {}),
        suspects=[_suspect(line) for line in suspects],
        evidence=[_evidence(line) for line in blocks.get("evidence", ())],
        changes=blocks.get("changes", ()),
        runbooks=[_texts(line, "name", "text") for line in blocks.get("runbooks", ())],
    )


def _lines(inside: str) -> list[Line]:
    found = []
    for line in inside.splitlines():
        try:
            # NaN and infinities are not JSON, and nobody quotes them.
            value = json.loads(line, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _rank(line: Line) -> float:
    rank = line.get("rank")
    return rank if isinstance(rank, int | float) else float("inf")


def _suspect(line: Line) -> Line:
    lists = {name: _list(line, name, str) for name in ("supporting", "opposing")}
    found = {**_texts(line, "component", "kind", "explanation"), **lists}
    return {
        **found,
        "component": found["component"] or "unknown",
        "kind": found["kind"] or "unknown",
        "explanation": found["explanation"] or "The evidence points there.",
    }


def _evidence(line: Line) -> Line:
    facts = line.get("facts")
    return {
        **_texts(line, "id", "source", "title", "status", "component", "detail"),
        "quantities": [
            {**_texts(each, "name", "unit"), "value": each["value"]}
            for each in _list(line, "quantities", dict)
            if isinstance(each.get("value"), int | float)
        ],
        "facts": facts if isinstance(facts, dict) else {},
    }


def _texts(line: Line, *names: str) -> Line:
    return {name: value if isinstance(value := line.get(name), str) else "" for name in names}


def _list(line: Line, name: str, kind: type) -> list[Any]:
    value = line.get(name)
    return [each for each in value if isinstance(each, kind)] if isinstance(value, list) else []
