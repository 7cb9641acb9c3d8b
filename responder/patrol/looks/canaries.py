"""Canaries that slide: wrong more often than before, and not yet often enough for an alert."""

from __future__ import annotations

from collections.abc import Sequence

from responder.investigation.wording import amount
from responder.patrol.change import LEAST_PIECES, Gate, fall
from responder.patrol.concern import Concern, Grade
from responder.patrol.look import Ground, look
from responder.patrol.past import earlier, key, without_past
from responder.promql import duration

_GATE = Gate(ratio=1.05, difference=0.05)
_SERIOUS_DIFFERENCE = 0.15


@look("canaries")
async def canaries(ground: Ground) -> Sequence[Concern]:
    """Find canaries that pass less often than they did at this time of day."""
    over = duration(ground.piece_seconds)
    query = f"avg by (target, canary) (avg_over_time(vigie_canary_pass_ratio[{over}]))"
    now = await ground.pieces(query)
    if not now:
        return ()
    before = await earlier(ground, query, LEAST_PIECES)
    if new := without_past(now, before, LEAST_PIECES):
        ground.remark(new)
    found = []
    for series in now:
        ago, then = before.get(key(series), ("", None))
        change = fall(series.values, then.values, _GATE) if then else None
        if change is None:
            continue
        target, canary = series.labels.get("target", ""), series.labels.get("canary", "")
        is_serious = change.before - change.now >= _SERIOUS_DIFFERENCE
        text = (
            f"{target}: canary {canary} passes {amount(change.now, 'ratio')} of its runs,"
            f" {amount(change.before, 'ratio')} {ago}"
        )
        grade = Grade.SERIOUS if is_serious else Grade.NOTE
        labels = {"target": target, "canary": canary}
        found.append(
            Concern(
                look="canaries",
                measure="passing",
                labels=labels,
                grade=grade,
                text=text,
                query=query,
            )
        )
    return found
