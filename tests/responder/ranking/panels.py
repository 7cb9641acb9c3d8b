"""Panels to rank: calm series with a cut, some of them moved after it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np

from responder.ranking.panel import Column, Family, Floats, Panel
from responder.ranking.words import family_of, is_mean, way_of

ROWS, CUT = 80, 60


def calm(name: str, level: float = 10.0, noise: float = 0.02) -> Floats:
    """Make a series around a level, the same for the same name."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return level * (1 + noise * random.standard_normal(ROWS))


def moved(name: str, by: float, *, level: float = 10.0, at: int = CUT) -> Floats:
    """Make a series that is *by* higher from a row on."""
    values = calm(name, level)
    values[at:] += by
    return values


def column(name: str) -> Column:
    """Read a column's name, `component|metric`."""
    component, _, metric = name.partition("|")
    return Column(
        component=component,
        metric=metric,
        family=family_of(metric),
        way=way_of(metric),
        size=0.01 if family_of(metric) is Family.ERRORS else 0.0,
        is_typical=is_mean(metric),
    )


def panel(
    series: Mapping[str, Floats],
    *,
    calls: tuple[tuple[str, str], ...] = (),
    target: str | None = None,
) -> Panel:
    """Put series together, cut where they move; names are `component|metric`."""
    return Panel(
        values=np.column_stack(list(series.values())),
        columns=tuple(column(each) for each in series),
        base_end=CUT,
        late=CUT,
        calls=calls,
        target=None if target is None else list(series).index(target),
        front=None if target is None else target.partition("|")[0],
    )
