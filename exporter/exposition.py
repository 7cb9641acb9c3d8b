"""Families -> bytes, in text 0.0.4 and OpenMetrics 1.0, kept per target and family."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from exporter.metrics import FAMILIES, MOST_SERIES, Family, Sample
from exporter.record import Labels, TargetRecord

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_LONG_SECONDS = 0.001

_Lines = Mapping[Family, bytes]


def wants_openmetrics(accept: str) -> bool:
    """Say whether an Accept header asks for OpenMetrics 1.0 before the text format.

    Prometheus lists OpenMetrics with the higher q; a missing or odd header means text.
    """
    best = {"openmetrics": 0.0, "text": 0.0}
    for entry in accept.lower().split(",")[:20]:
        media, *parameters = (part.strip() for part in entry.split(";"))
        quality = next((_quality(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        if media == "application/openmetrics-text" and "version=0.0.1" not in parameters:
            best["openmetrics"] = max(best["openmetrics"], quality)
        elif media in {"text/plain", "text/*", "*/*"}:
            best["text"] = max(best["text"], quality)
    return best["openmetrics"] > 0 and best["openmetrics"] >= best["text"]


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


@dataclass(kw_only=True, slots=True)
class _Series:
    """The series of one family of one target: all but the values, and how they last were."""

    template: str
    exemplified: bool = False
    labels: tuple[Labels, ...] = ()
    values: tuple[float, ...] = ()
    count: int = -1
    lines: bytes = b""

    def render(self, values: tuple[float, ...], exemplars: Iterable[str] = ()) -> None:
        """Write the lines anew; where exemplars are shown, one follows each value."""
        self.values = values
        numbers = tuple(map(_number, values))
        if self.exemplified:
            numbers = tuple(map("".join, zip(numbers, exemplars, strict=True)))
        self.lines = (self.template % numbers).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """What one target shows: each family's lines, and how many they are."""

    lines: _Lines
    series: int


@dataclass(kw_only=True, slots=True)
class _Kept:
    """One target's last rendering, with what it was rendered from."""

    stamp: tuple[int, bool]
    plain: dict[Family, _Series]
    histograms: dict[tuple[Family, Labels], _Series]
    shown: _Shown


class Exposition:
    """Renders the fleet; a target that has not changed costs a look-up.

    `series` says how many lines the last rendering had, `left_out` how many it would have had more:
    past the cap, targets are left out whole, the last by name.
    """

    def __init__(self) -> None:
        self._kept: dict[bool, dict[str, _Kept]] = {False: {}, True: {}}
        self.series = self.left_out = 0

    def render(
        self,
        records: Sequence[TargetRecord],
        *,
        now: float,
        openmetrics: bool,
        most_series: int = MOST_SERIES,
    ) -> bytes:
        """Return one block per family that has samples; OpenMetrics without its `# EOF`.

        Exemplars are OpenMetrics' alone: the text format has no place for them.
        """
        found = [self._target(record, now, openmetrics).shown for record in records]
        self._forget_but(records, openmetrics)
        kept = self._capped(found, most_series)
        return b"".join(
            part for family in FAMILIES for part in _block(family, kept, openmetrics=openmetrics)
        )

    async def render_between(
        self,
        records: Sequence[TargetRecord],
        *,
        now: float,
        openmetrics: bool,
        most_series: int = MOST_SERIES,
    ) -> list[bytes]:
        """Return the parts of what `render` returns, with the loop's other work done between.

        Ten thousand changed targets take seconds: runs that are due meanwhile must not wait.
        """
        pause = _Pause()
        found: list[_Shown] = []
        for record in records:
            found.append(self._target(record, now, openmetrics).shown)
            await pause.when_long()
        self._forget_but(records, openmetrics)
        kept = self._capped(found, most_series)
        parts: list[bytes] = []
        for family in FAMILIES:
            parts += _block(family, kept, openmetrics=openmetrics)
            await pause.when_long()
        return parts

    def _forget_but(self, records: Sequence[TargetRecord], openmetrics: bool) -> None:  # noqa: FBT001
        ours = self._kept[openmetrics]
        for name in ours.keys() - {record.target.name for record in records}:
            del ours[name]

    def _capped(self, found: Sequence[_Shown], most_series: int) -> Sequence[_Lines]:
        totals = list(accumulate(each.series for each in found))
        whole = totals[-1] if totals else 0
        most = bisect_right(totals, most_series)
        self.series = totals[most - 1] if most else 0
        self.left_out = whole - self.series
        return [each.lines for each in found[:most]]

    def _target(self, record: TargetRecord, now: float, openmetrics: bool) -> _Kept:  # noqa: FBT001
        name = record.target.name or ""
        stamp = (record.version, record.is_stale(now))
        ours = self._kept[openmetrics]
        kept = ours.get(name)
        if kept is not None and kept.stamp == stamp:
            return kept
        if kept is None:
            shown = _Shown(lines={}, series=0)
            kept = ours[name] = _Kept(stamp=stamp, plain={}, histograms={}, shown=shown)
        kept.stamp = stamp
        histograms = _histograms(kept, record, name, exemplified=openmetrics)
        lines = {**_plain(kept, record, name, now), **histograms}
        kept.shown = _Shown(lines=lines, series=sum(map(_count_lines, lines.values())))
        return kept


class _Pause:
    """Lets the loop's other work be done whenever this work has gone on for a while."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def when_long(self) -> None:
        """Wait for the loop's next turn when this one is long."""
        if time.monotonic() - self._began > _LONG_SECONDS:
            await asyncio.sleep(0)
            self._began = time.monotonic()


def _count_lines(lines: bytes) -> int:
    return lines.count(b"\n")


def _block(family: Family, kept: Sequence[_Lines], *, openmetrics: bool) -> list[bytes]:
    """Return a family's header and lines, nothing where it has no samples."""
    lines = [each[family] for each in kept if family in each]
    return [header(family, openmetrics=openmetrics), *lines] if lines else []


def _plain(kept: _Kept, record: TargetRecord, name: str, now: float) -> dict[Family, bytes]:
    found = record.plain(now)
    for gone in kept.plain.keys() - found.keys():
        del kept.plain[gone]
    for family, samples in found.items():
        labels = tuple([sample.labels for sample in samples])
        values = tuple([sample.value for sample in samples])
        series = kept.plain.get(family)
        if series is None or series.labels != labels:
            series = _Series(template=_template(family, samples, name), labels=labels)
            kept.plain[family] = series
        if series.values != values:
            series.render(values)
    return {family: kept.plain[family].lines for family in found}


def _histograms(
    kept: _Kept, record: TargetRecord, name: str, *, exemplified: bool
) -> dict[Family, bytes]:
    found: dict[Family, bytes] = {}
    for family, labels, histogram in record.histograms():
        series = kept.histograms.get((family, labels))
        if series is None:
            template = _template(family, histogram.samples(labels), name)
            series = _Series(template=template, exemplified=exemplified)
            kept.histograms[family, labels] = series
        if series.count != histogram.count:
            series.count = histogram.count
            series.render(histogram.values(), histogram.exemplars() if exemplified else ())
        found[family] = found.get(family, b"") + series.lines
    return found


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
    given = tuple(samples)
    values = tuple(_number(sample.value) for sample in given)
    return (_template(family, given, target) % values).encode()


def _template(family: Family, samples: Iterable[Sample], target: str | None) -> str:
    """Return the lines with a `%s` in the place of each value."""
    first = () if target is None else (("target", target),)
    lines = []
    for sample in samples:
        labels = ",".join(f'{k}="{_escaped(v)}"' for k, v in (*first, *sample.labels))
        braces = f"{{{labels}}}" if labels else ""
        lines.append(f"{family.name}{sample.suffix}{braces}".replace("%", "%%") + " %s\n")
    return "".join(lines)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    text = repr(float(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)
