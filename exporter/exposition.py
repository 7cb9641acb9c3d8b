"""The fleet's families -> bytes, in text 0.0.4 and OpenMetrics 1.0, kept per target and family."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

from exporter.metrics import FAMILIES, MOST_SERIES, Family, Sample
from exporter.record import TargetRecord
from exporter.sheet import Sheet, Shown
from exporter.template import escaped, number

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_LONG_SECONDS = 0.001
_UNASKED_SECONDS = 600.0


class Exposition:
    """Renders the fleet; what has not changed is kept, for as long as its format is asked for."""

    def __init__(self) -> None:
        self._sheets: dict[bool, Sheet] = {}
        self._asked_at: dict[bool, float] = {}
        self._one_at_a_time = asyncio.Lock()

    def render(
        self,
        records: Sequence[TargetRecord],
        *,
        now: float,
        openmetrics: bool,
        most_series: int = MOST_SERIES,
    ) -> Shown:
        """Return one block per family that has samples; OpenMetrics without its `# EOF`.

        Exemplars are OpenMetrics' alone: the text format has no place for them.
        """
        sheet = self._sheet(now, openmetrics=openmetrics)
        for _ in sheet.update(records, now=now, most_series=most_series):
            pass
        return sheet.shown

    async def render_between(
        self,
        records: Sequence[TargetRecord],
        *,
        now: float,
        openmetrics: bool,
        most_series: int = MOST_SERIES,
    ) -> Shown:
        """Do as `render` does, with the loop's other work done between.

        Ten thousand changed targets take a while: runs that are due meanwhile must not wait.
        """
        async with self._one_at_a_time:
            sheet = self._sheet(now, openmetrics=openmetrics)
            pause = _Pause()
            for _ in sheet.update(records, now=now, most_series=most_series):
                await pause.when_long()
            return sheet.shown

    def _sheet(self, now: float, *, openmetrics: bool) -> Sheet:
        """Return a format's sheet; the other's is dropped when nobody asked for it for long."""
        self._asked_at[openmetrics] = now
        if now - self._asked_at.get(not openmetrics, now) > _UNASKED_SECONDS:
            self._sheets.pop(not openmetrics, None)
        if openmetrics not in self._sheets:
            headers = {family: header(family, openmetrics=openmetrics) for family in FAMILIES}
            self._sheets[openmetrics] = Sheet(headers, exemplified=openmetrics)
        return self._sheets[openmetrics]


class _Pause:
    """Lets the loop's other work be done whenever this work has gone on for a while."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def when_long(self) -> None:
        """Wait for the loop's next turn when this one is long."""
        if time.monotonic() - self._began > _LONG_SECONDS:
            await asyncio.sleep(0)
            self._began = time.monotonic()


def header(family: Family, *, openmetrics: bool) -> bytes:
    """Return a family's HELP, TYPE and, in OpenMetrics, UNIT."""
    name = family.name
    if openmetrics and family.kind == "counter":
        name = name.removesuffix("_total")
    text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {family.kind}"]
    if openmetrics and family.unit and name.endswith(f"_{family.unit}"):
        lines.append(f"# UNIT {name} {family.unit}")
    return ("\n".join(lines) + "\n").encode()


def render_samples(family: Family, samples: Iterable[Sample], *, target: str | None) -> bytes:
    """Return the samples' lines, which both formats share; `target` None leaves the label out."""
    first = () if target is None else (("target", target),)
    lines = []
    for sample in samples:
        labels = ",".join(f'{k}="{escaped(v)}"' for k, v in (*first, *sample.labels))
        braces = f"{{{labels}}}" if labels else ""
        lines.append(f"{family.name}{sample.suffix}{braces} {number(float(sample.value))}\n")
    return "".join(lines).encode()
