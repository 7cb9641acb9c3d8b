"""What a source of payloads hands on: rows or columns of one side, answers, and what had none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy.typing as npt


class Side(StrEnum):
    """Whether a row was sent to a model or came from it."""

    REQUEST = "request"
    RESPONSE = "response"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Rows as JSON says them, one mapping a row; a key that a row has not is missing there.

    `at` is when they were seen, in seconds since the epoch.
    """

    at: float
    side: Side
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The same rows as columns, as the Open Inference Protocol has them; all are `size` long.

    An array of two dimensions is an embedding or an image: a vector a row.
    """

    at: float
    side: Side
    size: int
    columns: Mapping[str, npt.NDArray[Any] | Sequence[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A response that came so long after its request."""

    at: float
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Unanswered:
    """Requests that had no response in the time that is allowed."""

    at: float
    requests: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Malformed:
    """An event that could not be read: by which rule, in a word of a fixed list."""

    at: float
    rule: str
    detail: str


Piece = Rows | Columns | Answered | Unanswered | Malformed
