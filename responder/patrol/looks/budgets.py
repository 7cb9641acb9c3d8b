"""Budgets that will not last: the day's tokens, and the errors that an objective allows."""

from __future__ import annotations

from collections.abc import Sequence

from responder.investigation.wording import DAY, amount, number, span
from responder.patrol.concern import Concern, Grade
from responder.patrol.look import Ground, look
from responder.promql import duration

_LEAST_WINDOW_SECONDS = 60.0
# The objective's period, of which the shipped rules alert only when it is used up in days.
_PERIOD_DAYS = 30.0
_BURN = 1.5
_LEAST_FAILURES = 3


@look("tokens")
async def tokens(ground: Ground) -> Sequence[Concern]:
    """Find targets whose tokens will be spent before the day (UTC) is over."""
    left_today = DAY - ground.now % DAY
    seconds = max(ground.window_seconds, _LEAST_WINDOW_SECONDS)
    spent = f"clamp_min(delta(vigie_budget_tokens_spent[{duration(seconds)}]), 0)"
    query = f"sum by (target) (vigie_budget_tokens_remaining / ({spent} / {seconds:g} > 0))"
    found = []
    for series in await ground.instant(query):
        target = series.labels.get("target", "")
        for lasts in series.values:
            if 0 < lasts < left_today:
                text = (
                    f"{target}: its tokens last {span(lasts)} more, and the day {span(left_today)};"
                    " after that it is not probed"
                )
                labels = {"target": target}
                found.append(
                    Concern(
                        look="tokens",
                        measure="lasting",
                        labels=labels,
                        grade=Grade.NOTE,
                        text=text,
                        query=query,
                    )
                )
    return found


@look("errors")
async def errors(ground: Ground) -> Sequence[Concern]:
    """Find targets that fail a little all day: more than their objective allows in the long run."""
    share = "target:vigie_probe_failures:ratio_rate1d / on () group_left ()"
    query = (
        f"max by (target) ({share} vigie:probe_failure_budget:ratio"
        f" and on (job, target) target:vigie_probe_failures:increase1d >= {_LEAST_FAILURES})"
    )
    found = []
    for series in await ground.instant(query):
        target = series.labels.get("target", "")
        for burn in series.values:
            if burn < _BURN:
                continue
            text = (
                f"{target}: a day like this uses {amount(burn / _PERIOD_DAYS, 'ratio')} of its"
                f" error budget of {number(_PERIOD_DAYS)} days, which lasts"
                f" {number(_PERIOD_DAYS / burn)} days"
            )
            found.append(
                Concern(
                    look="errors",
                    measure="burn",
                    labels={"target": target},
                    grade=Grade.NOTE,
                    text=text,
                    query=query,
                )
            )
    return found
