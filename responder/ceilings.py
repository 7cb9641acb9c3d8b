"""Ceilings on what a model may cost: by incident, by day and by month, in all and for one model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import Field

from toolkit.settings import Settings

WINDOWS = ("incident", "day", "month")
ALL = ""
"""In the place of a model's name: all of them together."""


class Ceiling(Settings):
    """How much at most; what is left out is not limited."""

    tokens: int | None = Field(default=None, ge=0)
    price: float | None = Field(default=None, ge=0)
    """In the configuration's currency."""


class ModelCeilings(Settings):
    """The ceilings of one model; days and months are those of UTC."""

    incident: Ceiling = Ceiling()
    day: Ceiling = Ceiling()
    month: Ceiling = Ceiling()

    def of(self, window: str) -> Ceiling:
        """Give the ceiling of a window."""
        ceiling: Ceiling = getattr(self, window)
        return ceiling


class Ceilings(Settings):
    """The ceilings of all models together, and of some alone; replicas share them."""

    incident: Ceiling = Ceiling(tokens=500_000)
    day: Ceiling = Ceiling(tokens=10_000_000)
    month: Ceiling = Ceiling(tokens=100_000_000)
    models: Mapping[str, ModelCeilings] = {}

    @classmethod
    def none(cls) -> Ceilings:
        """Give those that limit nothing."""
        return cls(incident=Ceiling(), day=Ceiling(), month=Ceiling())

    def each(self) -> Iterator[tuple[str, str, Ceiling]]:
        """Give every window, whose it is (`ALL` or a model), and its ceiling."""
        for window in WINDOWS:
            whole: Ceiling = getattr(self, window)
            yield window, ALL, whole
            for model, own in sorted(self.models.items()):
                yield window, model, own.of(window)

    def have_price(self, model: str) -> bool:
        """Tell whether one of the ceilings that hold for a model is on price."""
        return any(
            ceiling.price is not None for _, whose, ceiling in self.each() if whose in {ALL, model}
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """Tokens, their price as far as it is known, and the calls that they were spent in."""

    tokens: int = 0
    price: float = 0.0
    calls: int = 0

    def __add__(self, other: Spent) -> Spent:
        """Put two together."""
        return Spent(
            tokens=self.tokens + other.tokens,
            price=self.price + other.price,
            calls=self.calls + other.calls,
        )


Sums = Mapping[tuple[str, str], Spent]
"""What is spent or reserved, by window and model; that of all models under `ALL`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """The ceiling that a call does not fit under."""

    window: str
    model: str
    text: str


def reached(ceilings: Ceilings, spent: Sums, model: str, wanted: Spent) -> Reached | None:
    """Give the first ceiling that *wanted* would cross, None where it fits under each."""
    for window, whose, ceiling in ceilings.each():
        if whose not in {ALL, model}:
            continue
        used = spent.get((window, whose), Spent())
        if text := _crossed(ceiling, used, wanted):
            subject = f"of {whose}" if whose else "of all models"
            return Reached(window=window, model=whose, text=f"{text} {_a(window)} {subject}")
    return None


def _crossed(ceiling: Ceiling, used: Spent, wanted: Spent) -> str:
    if ceiling.tokens is not None and used.tokens + wanted.tokens > ceiling.tokens:
        more = f"{used.tokens} spent or reserved, up to {wanted.tokens} more asked for"
        return f"{ceiling.tokens} tokens ({more})"
    if ceiling.price is not None and used.price + wanted.price > ceiling.price:
        more = f"{used.price:.4f} spent or reserved, up to {wanted.price:.4f} more asked for"
        return f"{ceiling.price:g} in money ({more})"
    return ""


def _a(window: str) -> str:
    return f"an {window}" if window == "incident" else f"a {window}"


def starts(now: float) -> Mapping[str, float]:
    """Give when the day and the month of a time began, in UTC."""
    day = dt.datetime.fromtimestamp(now, dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"day": day.timestamp(), "month": day.replace(day=1).timestamp()}
