"""The answer's vector points where a golden one does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import Field, PrivateAttr, model_validator

from exporter.check import checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import ConfigPath, Settings

_MOST_DIMENSIONS = 1 << 16
_MOST_FILE_BYTES = 4 << 20

Coordinate = Annotated[float, Field(allow_inf_nan=False)]


@checks.register("cosine")
class Cosine(Settings):
    """The embedding's cosine to a golden vector is at least this; nothing without an embedding."""

    min_cosine: float = Field(0.99, ge=-1, le=1, description="1 is the same direction")
    vector: tuple[Coordinate, ...] = Field(
        (), max_length=_MOST_DIMENSIONS, description="the golden vector"
    )
    vector_file: ConfigPath | None = Field(
        None, description="a file with the golden vector instead, as a JSON array"
    )
    _golden: tuple[float, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _read(self) -> Cosine:
        if bool(self.vector) == (self.vector_file is not None):
            raise ValueError("exactly one golden vector is needed; give vector or vector_file")
        self._golden = _loaded(self.vector_file) if self.vector_file else self.vector
        if not any(self._golden):
            raise ValueError("the golden vector is empty or all zeros, so it points nowhere")
        return self

    def examine(self, observation: Observation) -> CheckResult:
        """Compare the directions; without a vector in the observation it says nothing."""
        seen = observation.vector
        if seen is None:
            return passed("cosine")
        if len(seen) != len(self._golden):
            return failed("cosine", f"{len(seen)} dimensions, not {len(self._golden)}")
        cosine = _cosine(seen, self._golden)
        if cosine is None:
            return failed("cosine", "the vector is all zeros or not finite")
        if cosine >= self.min_cosine:
            return passed("cosine")
        return failed("cosine", f"cosine {cosine:.4f}, under {self.min_cosine:g}")


def _loaded(path: Path) -> tuple[float, ...]:
    try:
        with path.open("rb") as file:
            read = orjson.loads(file.read(_MOST_FILE_BYTES))
    except (OSError, orjson.JSONDecodeError) as error:
        raise ValueError(
            f"{path.name} cannot be read as JSON; write an array of numbers"
        ) from error
    if not isinstance(read, list) or len(read) > _MOST_DIMENSIONS or not all(map(_is_number, read)):
        raise ValueError(f"{path.name} holds no JSON array of at most {_MOST_DIMENSIONS} numbers")
    return tuple(map(float, read))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the cosine of two vectors of one length, each scaled first so that none overflows."""
    if not all(map(math.isfinite, one)) or not any(one):
        return None
    first, second = _scaled(one), _scaled(other)
    return math.fsum(map(mul, first, second)) / (math.hypot(*first) * math.hypot(*second))


def _scaled(vector: Sequence[float]) -> list[float]:
    largest = max(map(abs, vector))
    return [each / largest for each in vector]
