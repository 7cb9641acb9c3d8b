"""What a stream looked like when it was well: a bank of windows and a schema, as a JSON file."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard

import numpy as np
import orjson
import pydantic
from pydantic import Field

from exporter.payloads.drift import Counts

BINS = 10
MOST_CATEGORIES = 20
MOST_DISTINCT = 100
"""Beyond so many values, what is no number is a text."""
LONGEST_CATEGORY = 200
RANGE_MARGIN = 0.1
LARGEST_BYTES = 64 << 20
LARGEST = sys.float_info.max


class ReferenceFileError(Exception):
    """A reference file cannot be used: `where: problem; remedy`."""


class _Record(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class NumericReference(_Record):
    """A number: inner edges of equally filled bins, and the range that it may be in."""

    kind: Literal["numeric"] = "numeric"
    name: str
    missing_ratio: float
    edges: tuple[float, ...]
    low: float
    high: float
    is_constant: bool = False
    windows: tuple[tuple[int, ...], ...]

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.edges) + 1


class CategoricalReference(_Record):
    """A value of a list: those seen most, then `other`, which was seen, and unseen ones apart."""

    kind: Literal["categorical"] = "categorical"
    name: str
    missing_ratio: float
    categories: tuple[str, ...]
    others: tuple[str, ...] = ()
    singletons_ratio: float
    is_constant: bool = False
    windows: tuple[tuple[int, ...], ...]

    @property
    def bins(self) -> int:
        """How many bins there are: one a category, and one for the others."""
        return len(self.categories) + 1


FeatureReference = Annotated[NumericReference | CategoricalReference, Field(discriminator="kind")]


class Reference(_Record):
    """All features of a stream, the rows that they were learnt from, and when."""

    version: Literal[1] = 1
    rows: int
    learnt_at: float
    features: tuple[FeatureReference, ...]

    def digest(self) -> str:
        """Give a short hash of the whole, for `data_reference_info`."""
        return hashlib.sha256(orjson.dumps(self.model_dump(mode="json"))).hexdigest()[:12]


def load(path: Path) -> Reference:
    """Read a reference file; raises ReferenceFileError."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ReferenceFileError(f"{path}: larger than 64 MiB; learn it from fewer windows")
        return Reference.model_validate_json(path.read_bytes())
    except OSError as error:
        problem = f"{path}: {error.strerror}; make it with `vigie-exporter reference`"
        raise ReferenceFileError(problem) from None
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        problem = f"{path}: {place}: {first['msg']}; make it with `vigie-exporter reference`"
        raise ReferenceFileError(problem) from None


def dumped(reference: Reference) -> bytes:
    """Write a reference as indented JSON."""
    return orjson.dumps(reference.model_dump(mode="json"), option=orjson.OPT_INDENT_2)


def learn(windows: Sequence[Sequence[Mapping[str, Any]]], learnt_at: float) -> Reference:
    """Learn a reference from windows of rows, in their order; raises ValueError for no rows."""
    rows = [row for window in windows for row in window]
    if not rows:
        raise ValueError("no rows")
    names = dict.fromkeys(name for row in rows for name in row)
    return Reference(
        rows=len(rows),
        learnt_at=learnt_at,
        features=tuple(_feature(name, windows) for name in names),
    )


def _feature(name: str, windows: Sequence[Sequence[Mapping[str, Any]]]) -> FeatureReference:
    columns = [[row.get(name) for row in window] for window in windows]
    values = [each for column in columns for each in column]
    known = [each for each in values if not is_missing(each)]
    missing = 1 - len(known) / len(values)
    numbers = [float(each) for each in known if is_number(each)]
    distinct = {as_category(each) for each in known}
    if known and len(numbers) == len(known) and len(distinct) > MOST_CATEGORIES:
        return _numeric(name, columns, numbers, missing)
    return _categorical(name, columns, known, missing)


def _numeric(
    name: str, columns: Sequence[Sequence[Any]], numbers: Sequence[float], missing: float
) -> NumericReference:
    every = np.sort(np.asarray(numbers))
    edges = np.unique(np.quantile(every, np.linspace(0, 1, BINS + 1)[1:-1]))
    low, high = float(every[0]), float(every[-1])
    spread = float(np.quantile(every, 0.999) - np.quantile(every, 0.001))
    margin = RANGE_MARGIN * (spread or abs(high) or 1.0)
    return NumericReference(
        name=name,
        missing_ratio=missing,
        edges=tuple(float(each) for each in edges),
        low=low - margin,
        high=high + margin,
        is_constant=bool(low == high),
        windows=tuple(
            tuple(
                int(n)
                for n in numeric_counts(
                    edges, np.asarray([float(v) for v in column if is_number(v)])
                )
            )
            for column in columns
        ),
    )


def _categorical(
    name: str, columns: Sequence[Sequence[Any]], known: Sequence[Any], missing: float
) -> CategoricalReference:
    counted: dict[str, int] = {}
    for each in known:
        word = as_category(each)
        counted[word] = counted.get(word, 0) + 1
    ordered = sorted(counted, key=lambda word: (-counted[word], word))
    top, rest = ordered[:MOST_CATEGORIES], ordered[MOST_CATEGORIES:MOST_DISTINCT]
    singles = sum(count == 1 for count in counted.values())
    return CategoricalReference(
        name=name,
        missing_ratio=missing,
        categories=tuple(top),
        others=tuple(rest),
        singletons_ratio=singles / max(1, len(known)),
        is_constant=len(counted) == 1,
        windows=tuple(tuple(_categories(top, column)) for column in columns),
    )


def _categories(top: Sequence[str], column: Iterable[Any]) -> list[int]:
    place = {word: index for index, word in enumerate(top)}
    counts = [0] * (len(top) + 1)
    for each in column:
        if not is_missing(each):
            counts[place.get(as_category(each), len(top))] += 1
    return counts


def numeric_counts(edges: Any, values: Any) -> Counts:
    """Count finite values into the bins that inner edges part."""
    places = np.searchsorted(edges, values, side="right")
    return np.bincount(places, minlength=len(edges) + 1)


def is_missing(value: Any) -> bool:
    """Tell whether there is no value: none, or a number that is none."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_number(value: Any) -> TypeGuard[float]:
    """Tell whether a value is a finite number; true and false are categories."""
    is_numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return is_numeric and -LARGEST <= value <= LARGEST


def as_category(value: Any) -> str:
    """Write a value as the name of its category."""
    return (value if isinstance(value, str) else repr(value))[:LONGEST_CATEGORY]
