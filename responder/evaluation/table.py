"""An evaluation as a table to read and as JSON; the same cases give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from responder.evaluation.result import Result, Row
from responder.evaluation.scores import Score

_SCORES = ("AC@1", "AC@3", "Avg@5")
_WIDTH = 6 * len(_SCORES)


def table(result: Result, notes: Sequence[str]) -> str:
    """Give a line a system, the pooled ones under a rule, and notes on what is not shown."""
    rows = _rows(result)
    methods = list(rows[0].scores)
    width = max(len(each.name) for each in (*rows, result.everything))
    head = "".join(f"  {name:>{_WIDTH}}" for name in methods)
    under = "".join("  " + "".join(f"{each:>6}" for each in _SCORES) for _ in methods)
    lines = [f"{'':{width}}       {head}", f"{'system':{width}}  cases{under}"]
    lines += [_line(row, width) for row in result.observable]
    lines.append("-" * len(lines[1]))
    lines += [_line(row, width) for row in rows[len(result.observable) :]]
    lines += ["", *notes]
    return "\n".join(lines)


def as_json(result: Result, notes: Sequence[str]) -> str:
    """Give the same as JSON: rows by name, methods by name, scores unrounded to six places."""
    rows: dict[str, Any] = {
        "systems": {row.name: _plain(row) for row in result.observable},
        "observable": None if result.pooled is None else _plain(result.pooled),
        "all": _plain(result.everything),
        "notes": list(notes),
    }
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _rows(result: Result) -> list[Row]:
    pooled = [] if result.pooled is None else [result.pooled]
    return [*result.observable, *pooled, result.everything]


def _line(row: Row, width: int) -> str:
    return f"{row.name:{width}}  {row.cases:5}" + "".join(
        f"  {each.ac1:6.3f}{each.ac3:6.3f}{each.avg5:6.3f}" for each in row.scores.values()
    )


def _plain(row: Row) -> Mapping[str, Any]:
    scores = {name: _figures(each) for name, each in row.scores.items()}
    return {"cases": row.cases, "scores": scores}


def _figures(score: Score) -> Mapping[str, float]:
    return dict(zip(_SCORES, (round(each, 6) for each in _values(score)), strict=True))


def _values(score: Score) -> tuple[float, float, float]:
    return score.ac1, score.ac3, score.avg5
