"""One series of the evidence, looked at more closely."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from responder.investigation.evidence import Evidence, Frame, Quantity, Status
from responder.investigation.summary import MOST_SERIES, quantities
from responder.investigation.tool import Bench, tools
from toolkit.settings import Settings

POINTS = 12


@tools.register("look_at_series")
class LookAtSeries(Settings):
    """Look closer at the series behind one piece of evidence: its extremes and its course."""

    evidence: Annotated[str, Field(pattern=r"^E[0-9]{1,4}$", description="the evidence's id")]

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether there are series."""
        return bench.brief.frame is not None

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """Give its numbers."""
        return [await asyncio.to_thread(self._look, bench)]

    def _look(self, bench: Bench) -> Evidence:
        about, frame = bench.evidence(self.evidence), bench.brief.frame
        query = f"series of {self.evidence}"
        if about is None:
            problem = "there is no evidence of this id"
            return bench.made("prometheus", query, query, Status.FAILED, detail=problem)
        part = _columns(frame, self.evidence)
        if part is None:
            problem = "no series stands behind it"
            return bench.made("prometheus", query, query, Status.EMPTY, detail=problem)
        numbers = (*quantities(part, bench.brief.onset_at), *_course(part))
        kept = {k: v for k, v in about.facts.items() if k in {"origin", "metric", "target"}}
        return bench.made(
            about.source,
            f"{about.title}: its course",
            query,
            Status.OK,
            component=about.component,
            quantities=numbers,
            facts=kept,
            chart_svg=about.chart_svg,
        )


def _columns(frame: Frame | None, name: str) -> Frame | None:
    if frame is None:
        return None
    chosen = [i for i, each in enumerate(frame.labels) if each.get("__evidence__") == name]
    if not chosen:
        return None
    labels = tuple(frame.labels[i] for i in chosen[: 4 * MOST_SERIES])
    return Frame(
        times=frame.times, values=frame.values[:, chosen[: 4 * MOST_SERIES]], labels=labels
    )


def _course(frame: Frame) -> list[Quantity]:
    """Give the medians of as many equal parts of the time, of the first series alone."""
    parts = np.array_split(np.arange(len(frame.times)), min(POINTS, len(frame.times)))
    made = []
    for rows in parts:
        values = frame.values[rows, 0]
        if len(rows) and np.isfinite(values).any():
            value, at = float(np.nanmedian(values)), float(frame.times[rows[-1]])
            if math.isfinite(value):
                unit = frame.labels[0].get("__unit__", "")
                rounded = float(f"{value:.9g}")
                made.append(Quantity(name="median up to", value=rounded, unit=unit, at=at))
    return made
