"""Trials as a table to read and as JSON: pooled, and a line for each case."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from responder.evaluation.reports.trial import Outcome, Trial

_HEAD = (
    f"{'':16}{'runs':>5}{'unreached':>10}{'unread':>7}{'by code':>8}{'own':>5}"
    f"{'right':>7}{'own right':>10}{'false':>6}{'unverified':>11}{'tokens':>8}{'price':>9}"
    f"{'p50 s':>7}{'max s':>7}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooled:
    """What some trials came to; runs that reached nobody are counted apart and say nothing more.

    `right` and `own_right` are shares of the rest, `false` is a count of claims, `tokens` and
    `price` are means of a run, None where no price is known.
    """

    runs: int
    unreached: int
    unread: int
    by_code: int
    own: int
    right: float
    own_right: float
    false: int
    unverified: float
    tokens: float
    price: float | None
    median_seconds: float
    longest_seconds: float


def pooled(trials: Sequence[Trial]) -> Pooled:
    """Pool some trials."""
    reached = [each for each in trials if each.outcome is not Outcome.UNREACHED]
    counted = {each: sum(trial.outcome is each for trial in trials) for each in Outcome}
    claims = sum(each.claims for each in reached)
    prices = [each.spend.price for each in reached if each.spend.price is not None]
    seconds = [each.seconds for each in reached] or [0.0]
    return Pooled(
        runs=len(trials),
        unreached=counted[Outcome.UNREACHED],
        unread=counted[Outcome.UNREAD],
        by_code=counted[Outcome.BY_CODE],
        own=counted[Outcome.OWN],
        right=_mean([float(each.is_right) for each in reached]),
        own_right=_mean([float(each.is_own_right) for each in reached]),
        # Whoever was reached or not: nothing that is false may stand in a report.
        false=sum(len(each.false_claims) for each in trials),
        unverified=sum(each.unverified for each in reached) / claims if claims else 0.0,
        tokens=_mean([float(_tokens(each)) for each in reached]),
        price=_mean(prices) if prices else None,
        median_seconds=statistics.median(seconds),
        longest_seconds=max(seconds),
    )


def table(name: str, trials: Sequence[Trial], *, cases: bool) -> str:
    """Give the pooled line of an analyst, and where asked one for each case before it."""
    lines = [_HEAD, "-" * len(_HEAD)]
    if cases:
        by_case = sorted({each.case for each in trials})
        lines += [line(c, pooled([t for t in trials if t.case == c])) for c in by_case]
        lines.append("-" * len(_HEAD))
    lines.append(line(name, pooled(trials)))
    wrong = [each for each in trials if not each.is_right]
    lines += [f"wrong: {each.case}: {each.named}" for each in wrong]
    lines += [f"FALSE: {each.case}: {claim}" for each in trials for claim in each.false_claims]
    return "\n".join([*lines, "", *NOTES])


def line(name: str, each: Pooled) -> str:
    """Give a line of the table."""
    price = "-" if each.price is None else f"{each.price:.4f}"
    return (
        f"{name[:16]:16}{each.runs:5}{each.unreached:10}{each.unread:7}{each.by_code:8}{each.own:5}"
        f"{each.right:7.2f}{each.own_right:10.2f}{each.false:6}{each.unverified:11.2f}"
        f"{each.tokens:8.0f}{price:>9}{each.median_seconds:7.2f}{each.longest_seconds:7.2f}"
    )


HEAD = _HEAD
NOTES = (
    "unreached: network, server or time failed; such runs count nowhere else but under false.",
    "unread: no report that can be read; by code: not borne out, so code's ranking leads.",
    "right: the report's first cause is the true one; own right: so was the analyst's own.",
    "false: claims that stand in a report whose numbers, times or names the cited evidence lacks.",
)


def as_json(name: str, trials: Sequence[Trial]) -> str:
    """Give the same as JSON."""
    rows: dict[str, Any] = {
        "analyst": name,
        "pooled": dataclasses.asdict(pooled(trials)),
        "trials": [
            {
                **{k: v for k, v in _plain(each).items() if k != "spend"},
                "spend": each.spend.model_dump(mode="json"),
            }
            for each in trials
        ],
    }
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _plain(trial: Trial) -> dict[str, Any]:
    return {each.name: getattr(trial, each.name) for each in dataclasses.fields(trial)}


def _tokens(trial: Trial) -> int:
    return trial.spend.prompt_tokens + trial.spend.output_tokens


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
