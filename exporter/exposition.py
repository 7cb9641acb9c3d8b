"""Families -> bytes, in text 0.0.4 and OpenMetrics 1.0, kept per target and family."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.metrics import FAMILIES, Family, Sample
from exporter.record import Labels, TargetRecord

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


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
    labels: tuple[Labels, ...] = ()
    values: tuple[float, ...] = ()
    count: int = -1
    lines: bytes = b""

    def render(self, values: tuple[float, ...]) -> None:
        """Write the lines anew."""
        self.values = values
        self.lines = (self.template % tuple(map(_number, values))).encode()


@dataclass(kw_only=True, slots=True)
class _Kept:
    """One target's last rendering, with what it was rendered from."""

    stamp: tuple[int, bool]
    plain: dict[Family, _Series]
    histograms: dict[tuple[Family, Labels], _Series]
    lines: dict[Family, bytes]


class Exposition:
    """Renders the fleet; a target that has not changed costs a look-up."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def render(self, records: Sequence[TargetRecord], *, now: float, openmetrics: bool) -> bytes:
        """Return one block per family that has samples; OpenMetrics without its `# EOF`."""
        kept = [self._target(record, now).lines for record in records]
        gone = self._kept.keys() - {record.target.name for record in records}
        for name in gone:
            del self._kept[name]
        parts: list[bytes] = []
        for family in FAMILIES:
            lines = [each[family] for each in kept if family in each]
            if lines:
                parts.append(header(family, openmetrics=openmetrics))
                parts.extend(lines)
        return b"".join(parts)

    def _target(self, record: TargetRecord, now: float) -> _Kept:
        name = record.target.name or ""
        stamp = (record.version, record.is_stale(now))
        kept = self._kept.get(name)
        if kept is not None and kept.stamp == stamp:
            return kept
        if kept is None:
            kept = self._kept[name] = _Kept(stamp=stamp, plain={}, histograms={}, lines={})
        kept.stamp = stamp
        kept.lines = {**_plain(kept, record, name, now), **_histograms(kept, record, name)}
        return kept


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


def _histograms(kept: _Kept, record: TargetRecord, name: str) -> dict[Family, bytes]:
    found: dict[Family, bytes] = {}
    for family, labels, histogram in record.histograms():
        series = kept.histograms.get((family, labels))
        if series is None:
            template = _template(family, histogram.samples(labels), name)
            series = kept.histograms[family, labels] = _Series(template=template)
        if series.count != histogram.count:
            series.count = histogram.count
            series.render(histogram.values())
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
