"""Series in numbers: what a model and a reader are given in the place of the samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from responder.guard import line
from responder.investigation.evidence import Floats, Frame, Quantity
from responder.investigation.movement import Movement, movements
from responder.investigation.suspects import levels
from responder.series import Grid

MOST_SERIES = 8
MOST_LABELS = 8
GUARD_SAMPLES = 8


def frame_of(
    rows: Sequence[Mapping[str, Any]], grid: Grid, unit: str, component_label: str
) -> Frame | None:
    """Make a frame of a matrix as the API gives it; None where it holds no sample."""
    labels, columns = [], []
    for row in rows:
        values = _values(row, grid)
        if np.isfinite(values).any():
            columns.append(values)
            labels.append(_labels(row["metric"], unit, component_label))
    if not columns:
        return None
    return Frame(times=grid.times, values=np.column_stack(columns), labels=tuple(labels))


def _labels(metric: Mapping[str, Any], unit: str, component_label: str) -> dict[str, str]:
    plain = {line(str(k), 80): line(str(v), 120) for k, v in list(metric.items())[:MOST_LABELS]}
    name = plain.pop("__name__", "")
    owner = plain.get(component_label, "")
    return {**plain, "__name__": name, "__unit__": unit, "component": owner}


def _values(row: Mapping[str, Any], grid: Grid) -> Floats:
    values = np.full(grid.count, math.nan)
    samples = row.get("values")
    for sample in samples if isinstance(samples, list) else ():
        try:
            at, value = float(sample[0]), float(sample[1])
        except (TypeError, ValueError, IndexError):
            continue
        place = round((at - grid.start) / grid.step)
        if 0 <= place < grid.count and math.isfinite(value):
            values[place] = value
    return values


def moved(frame: Frame, onset_at: float) -> tuple[Movement, ...]:
    """Say of each series what it did around the onset, the one that moved most first."""
    step = float(frame.times[1] - frame.times[0]) if len(frame.times) > 1 else 1.0
    found = movements(frame, levels(frame, onset_at, GUARD_SAMPLES * step), onset_at)
    return tuple(sorted(found, key=lambda each: (-abs(each.deviation), each.index)))


def quantities(frame: Frame, onset_at: float, most: int = MOST_SERIES) -> tuple[Quantity, ...]:
    """Give the numbers of the series that moved most: before, since, now, least and most."""
    made: list[Quantity] = []
    for each in moved(frame, onset_at)[:most]:
        made += each.quantities()
        made += _extremes(each, frame, onset_at)
    return tuple(made)


def _extremes(movement: Movement, frame: Frame, onset_at: float) -> Iterator[Quantity]:
    values = frame.values[:, movement.index]
    late = (frame.times >= onset_at) & np.isfinite(values)
    if not late.any():
        return
    labels = {k: v for k, v in movement.labels.items() if not k.startswith("__")}
    chosen, times = values[late], frame.times[late]
    for name, place in (("least since", chosen.argmin()), ("most since", chosen.argmax())):
        yield Quantity(
            name=name,
            value=float(f"{chosen[place]:.9g}"),
            unit=movement.unit,
            labels=labels,
            at=float(times[place]),
        )
