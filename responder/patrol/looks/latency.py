"""Latency as users see it, against the same time of day in the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from responder.investigation.wording import span, times
from responder.patrol.change import LEAST_PIECES, Change, Gate, rise
from responder.patrol.concern import Concern, Grade
from responder.patrol.look import Ground, look
from responder.patrol.past import earlier, key, without_past
from responder.promql import duration


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A histogram of the juniors; a rise counts from `least_seconds` on, in the mean."""

    name: str
    family: str
    least_seconds: float


_MEASURES = (
    Measure(name="time per run", family="vigie_probe_duration_seconds", least_seconds=0.02),
    Measure(
        name="time to first token",
        family="vigie_llm_time_to_first_token_seconds",
        least_seconds=0.02,
    ),
    Measure(
        name="time per output token",
        family="vigie_llm_time_per_output_token_seconds",
        least_seconds=0.002,
    ),
)
_RATIO = 1.25
_SERIOUS_RATIO = 1.5


@look("latency")
async def latency(ground: Ground) -> Sequence[Concern]:
    """Find targets that are slower than they were at this time of day.

    Means, since a histogram's quantiles are no finer than its bounds; runs are the juniors' own,
    the same ones each time, so that a mean does not move with what users ask.
    """
    found: list[Concern] = []
    for measure in _MEASURES:
        found += await _slower(ground, measure)
    return found


async def _slower(ground: Ground, measure: Measure) -> Sequence[Concern]:
    query = _mean(measure.family, ground.piece_seconds)
    now = await ground.pieces(query)
    if not now:
        return ()
    before = await earlier(ground, query, LEAST_PIECES)
    if new := without_past(now, before, LEAST_PIECES):
        ground.remark(new)
    gate = Gate(ratio=_RATIO, difference=measure.least_seconds)
    found = []
    for series in now:
        ago, then = before.get(key(series), ("", None))
        change = rise(series.values, then.values, gate) if then else None
        if change is not None:
            found.append(_said(measure, series.labels, change, ago, query))
    return found


def _mean(family: str, seconds: float) -> str:
    over = duration(seconds)
    total = f"sum by (target) (increase({family}_sum[{over}]))"
    return f"{total} / (sum by (target) (increase({family}_count[{over}])) > 0)"


def _said(
    measure: Measure, labels: Mapping[str, str], change: Change, ago: str, query: str
) -> Concern:
    target = labels.get("target", "")
    return Concern(
        look="latency",
        measure=measure.name,
        labels={"target": target},
        grade=Grade.SERIOUS if change.ratio >= _SERIOUS_RATIO else Grade.NOTE,
        text=f"{measure.name} of {target} is {span(change.now)}, and was {span(change.before)}"
        f" {ago} ({times(change.ratio)})",
        query=query,
    )
