"""Whom nobody watches any more: targets that were probed, and juniors that were there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from responder.investigation.wording import listed, number
from responder.patrol.concern import Concern, Grade
from responder.patrol.look import WINDOWS_BACK, Ground, look
from responder.promql import duration

_USUAL = 0.9
_MOST_NAMED = 5


@look("unwatched")
async def unwatched(ground: Ground) -> Sequence[Concern]:
    """Find targets that were probed within six windows, and are not now.

    A line only: who takes a target out of the configuration means it.
    """
    lately = duration(WINDOWS_BACK * ground.window_seconds)
    # Two pieces: longer than a scrape that fails now and then, and than a restart.
    recent = 2 * ground.piece_seconds
    was = f"group by (target) (max_over_time(vigie_probe_interval_seconds[{lately}]))"
    now = f"group by (target) (max_over_time(vigie_probe_interval_seconds[{duration(recent)}]))"
    query = f"{was} unless {now}"
    return [
        Concern(
            look="unwatched",
            measure="gone",
            labels={"target": series.labels.get("target", "")},
            grade=Grade.NOTE,
            text=f"{series.labels.get('target', '')}: nobody probes it any more; if nobody took it"
            " out of the configuration, look at the exporter's discovery",
            query=query,
        )
        for series in await ground.instant(query)
    ]


@look("juniors")
async def juniors(ground: Ground) -> Sequence[Concern]:
    """Find jobs that have fewer juniors than they had within six windows."""
    lately = duration(WINDOWS_BACK * ground.window_seconds)
    step = duration(ground.piece_seconds)
    there = "count by (job) (vigie_exporter_build_info)"
    # Not the most that there were: while juniors are replaced there are both for a moment.
    most = await ground.instant(f"quantile_over_time({_USUAL}, {there}[{lately}:{step}])")
    now = {each.labels.get("job", ""): each.values for each in await ground.instant(there)}
    gone = await ground.instant(
        f"group by (job, instance) (max_over_time(vigie_exporter_build_info[{lately}]))"
        " unless group by (job, instance) (vigie_exporter_build_info)"
    )
    found = []
    for series in most:
        job = series.labels.get("job", "")
        before = math.floor(max(series.values, default=0.0))
        left = max(now.get(job, ()), default=0.0)
        if left >= before:
            continue
        names = [each.labels.get("instance", "") for each in gone if each.labels.get("job") == job]
        which = f": {listed(names[:_MOST_NAMED])}" if names else ""
        text = f"{job}: {number(before - left)} of {number(before)} juniors are silent{which}"
        labels = {"job": job, "component": "vigie"}
        found.append(
            Concern(
                look="juniors",
                measure="silent",
                labels=labels,
                grade=Grade.SERIOUS,
                text=text,
                query=there,
            )
        )
    return found
