"""From metric names to queries, and from a server's matrices to the columns of a frame."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from responder.guard import line
from responder.investigation.evidence import Floats, Frame
from responder.investigation.vocabulary import (
    OWN_ROUTES,
    ROUTE_LABELS,
    Form,
    Role,
    Term,
    code_of,
    is_error,
    is_throttled,
    peer_of,
    precedence,
    skipped,
    term_of,
)
from responder.promql import duration, selector

Matcher = tuple[str, str, str]
LONGEST_LABEL = 120
_RATIOS = {
    Role.TRAFFIC: (Role.ERROR_RATIO, Role.THROTTLED_RATIO),
    Role.UPSTREAM_TRAFFIC: (Role.UPSTREAM_ERROR_RATIO,),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """The times that all series of a frame are read at; `step` is the scrape interval."""

    start: float
    end: float
    step: float

    @property
    def times(self) -> Floats:
        """Every time of the grid, in seconds since the epoch."""
        return self.start + self.step * np.arange(self.count, dtype=np.float64)

    @property
    def count(self) -> int:
        """How many times there are."""
        return math.floor((self.end - self.start) / self.step + 1e-6) + 1

    @staticmethod
    def over(start: float, end: float, step: float, most: int) -> Grid:
        """Lay a grid on multiples of the step, wider where it would hold more than *most* times."""
        step = max(step, (end - start) / max(most - 1, 1))
        last = math.floor(end / step) * step
        first = max(math.ceil(start / step), math.floor(end / step) - most + 1) * step
        return Grid(start=min(first, last), end=last, step=step)


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One metric family and how it is read."""

    name: str
    form: Form
    term: Term

    def query(self, by: Sequence[str], matchers: Sequence[Matcher], window_seconds: float) -> str:
        """Write the query of this family, replicas put together by *by* and the labels kept."""
        kept = ", ".join(dict.fromkeys((*by, *self.term.keep)))
        users = [*matchers, *self._own_routes()]
        window = duration(window_seconds)

        def rate(name: str) -> str:
            return f"sum by ({kept}) (rate({selector(name, users)}[{window}]))"

        if self.form is Form.HISTOGRAM:
            return f"{rate(self.name + '_sum')} / {rate(self.name + '_count')}"
        if self.form is Form.COUNTER:
            return rate(self.name)
        return f"{self.term.combine} by ({kept}) ({selector(self.name, users)})"

    def _own_routes(self) -> Iterable[Matcher]:
        if self.term.role in {Role.TRAFFIC, Role.LATENCY}:
            for label in ROUTE_LABELS:
                yield label, "!~", OWN_ROUTES


def plan(names: Iterable[str], types: Mapping[str, str], most: int) -> tuple[list[Family], int]:
    """Return the families to read, what is known first, and how many were left out."""
    left = set(names)
    found: list[Family] = []
    for name in sorted(left):
        root = name.removesuffix("_sum")
        if root != name and f"{root}_count" in left:
            left -= {f"{root}_sum", f"{root}_count", f"{root}_bucket", root}
            found.append(_family(root, Form.HISTOGRAM))
    for name in sorted(left):
        if not name.endswith("_bucket"):
            kind = types.get(name) or types.get(name.removesuffix("_total"), "")
            counted = kind == "counter" or name.endswith("_total")
            found.append(_family(name, Form.COUNTER if counted else Form.GAUGE))
    read = [each for each in found if _worth(each)]
    read.sort(key=lambda family: precedence(family.name))
    return read[:most], max(0, len(read) - most)


def _family(name: str, form: Form) -> Family:
    known = term_of(name)
    if known is not None and known.form in {None, form}:
        return Family(name=name, form=form, term=known)
    unit = "per_second" if form is Form.COUNTER else _unit(name)
    return Family(name=name, form=form, term=Term(role=Role.OTHER, text=name, unit=unit))


def _unit(name: str) -> str:
    for ending, unit in (("_timestamp_seconds", "timestamp"), ("_seconds", "seconds")):
        if name.endswith(ending):
            return unit
    return {"bytes": "bytes", "ratio": "ratio"}.get(name.rpartition("_")[2], "")


def _worth(family: Family) -> bool:
    if skipped(family.name):
        return False
    return not family.name.endswith("_info") or family.term.role is Role.VERSION


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One series on the grid; `labels` hold the component and what the vocabulary keeps."""

    labels: Mapping[str, str]
    values: Floats


@dataclass(kw_only=True, slots=True)
class Columns:
    """Columns gathered so far, on one grid, up to `most` of them."""

    grid: Grid
    most: int
    kept: list[Column] = field(default_factory=list)
    cut: int = 0

    def add(self, column: Column) -> bool:
        """Keep a column; False when the limit is reached."""
        if len(self.kept) >= self.most:
            self.cut += 1
            return False
        self.kept.append(column)
        return True

    def frame(self) -> Frame | None:
        """Put the columns together, None without any."""
        if not self.kept:
            return None
        return Frame(
            times=self.grid.times,
            values=np.column_stack([column.values for column in self.kept]),
            labels=tuple(dict(column.labels) for column in self.kept),
        )


def matrix(result: Any, grid: Grid) -> list[tuple[dict[str, str], Floats]]:
    """Read a matrix of the API onto the grid; what is not of its shape raises ValueError.

    Stale, missing and infinite samples are NaN.
    """
    if not isinstance(result, list):
        raise ValueError("the result is not a matrix")  # noqa: TRY004 - bad data, not a bad call
    rows = []
    for series in result:
        try:
            labels = {str(k): line(str(v), LONGEST_LABEL) for k, v in series["metric"].items()}
            samples = [(float(at), float(value)) for at, value in series["values"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a series is not of the API's shape ({error})") from None
        rows.append((labels, _on_grid(samples, grid)))
    return sorted(rows, key=lambda row: sorted(row[0].items()))


def _on_grid(samples: Sequence[tuple[float, float]], grid: Grid) -> Floats:
    values = np.full(grid.count, np.nan)
    if not samples:
        return values
    read = np.array(samples, dtype=np.float64)
    where = np.rint((read[:, 0] - grid.start) / grid.step).astype(np.int64)
    inside = (where >= 0) & (where < grid.count) & np.isfinite(read[:, 1])
    values[where[inside]] = read[inside, 1]
    values.flags.writeable = False  # several incidents may be given the same
    return values


def columns_of(
    family: Family, rows: Iterable[tuple[Mapping[str, str], Floats]], label: str
) -> list[Column]:
    """Make columns of one family's rows; counters with a status become a total and its ratios.

    `label` names the component in the rows; rows without it are dropped.
    """
    told = [(labels, values) for labels, values in rows if labels.get(label)]
    if family.term.role in _RATIOS:
        return _with_ratios(family, told, label)
    kept = (*family.term.keep,)
    return [
        Column(
            labels=_named(family, labels[label], {k: labels[k] for k in kept if labels.get(k)}),
            values=values,
        )
        for labels, values in told
    ]


def _named(family: Family, component: str, extra: Mapping[str, str]) -> dict[str, str]:
    return {
        "__name__": family.name,
        "__role__": family.term.role.value,
        "__unit__": family.term.unit,
        "component": component,
        **extra,
    }


def _with_ratios(
    family: Family, rows: Sequence[tuple[Mapping[str, str], Floats]], label: str
) -> list[Column]:
    groups: dict[tuple[str, str], list[tuple[Mapping[str, str], Floats]]] = defaultdict(list)
    for labels, values in rows:
        groups[labels[label], peer_of(labels) or ""].append((labels, values))
    columns = []
    for (component, peer), members in sorted(groups.items()):
        extra = {"peer": peer} if peer else {}
        total = _sum(values for _, values in members)
        columns.append(Column(labels=_named(family, component, extra), values=total))
        if all(code_of(labels) is None for labels, _ in members):
            continue
        for role in _RATIOS[family.term.role]:
            part = _sum((v for labels, v in members if _counts(role, labels)), like=total)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(total > 0, part / total, np.nan)
            named = _named(family, component, extra)
            named |= {"__role__": role.value, "__unit__": "ratio"}
            columns.append(Column(labels=named, values=ratio))
    return columns


def _counts(role: Role, labels: Mapping[str, str]) -> bool:
    code = code_of(labels)
    if code is None:
        return False
    return is_throttled(code[1]) if role is Role.THROTTLED_RATIO else is_error(*code)


def _sum(parts: Iterable[Floats], like: Floats | None = None) -> Floats:
    """Add series, a missing sample counting as nothing where another is there."""
    stacked = list(parts)
    if not stacked:
        return np.where(np.isnan(like), np.nan, 0.0) if like is not None else np.zeros(0)
    block = np.column_stack(stacked)
    total: Floats = np.nansum(block, axis=1)
    missing = np.isnan(block).all(axis=1)
    if like is not None:
        return np.where(missing & np.isnan(like), np.nan, total)
    return np.where(missing, np.nan, total)


def plain_series(
    result: Iterable[Mapping[str, Any]],
) -> Iterable[tuple[Mapping[str, str], tuple[float, ...]]]:
    """Give the labels and values of a matrix's series; what is no number is left out."""
    for each in result:
        labels = {
            line(str(k), LONGEST_LABEL): line(str(v), LONGEST_LABEL)
            for k, v in each["metric"].items()
        }
        values = []
        for point in each.get("values") or ():
            try:
                value = float(point[1])
            except (TypeError, ValueError, IndexError):
                continue
            if math.isfinite(value):
                values.append(value)
        yield labels, tuple(values)
