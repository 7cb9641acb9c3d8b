"""What a model's answers cost, by the prices that the configuration states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from responder.investigation.report import Spend
from toolkit.settings import Settings

_PER_MILLION = 1_000_000


class Price(Settings):
    """A model's price per million tokens, in the configuration's currency."""

    prompt: float = Field(ge=0)
    output: float = Field(ge=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one call used, as the reply said it."""

    model: str
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceTable:
    """The prices by model, and the currency they are in."""

    prices: Mapping[str, Price]
    currency: str

    def cost(self, usage: Usage) -> float | None:
        """Give a call's price, None where the table does not know the model."""
        price = self.prices.get(usage.model)
        if price is None:
            return None
        whole = usage.prompt_tokens * price.prompt + usage.output_tokens * price.output
        return whole / _PER_MILLION


def charged(spend: Spend, usage: Usage, table: PriceTable) -> Spend:
    """Add one call to *spend*; the sum is None as soon as one call's price is not known."""
    before = spend.price if spend.calls else 0.0
    cost = table.cost(usage)
    price = None if before is None or cost is None else before + cost
    return Spend(
        model=usage.model,
        prompt_tokens=spend.prompt_tokens + usage.prompt_tokens,
        output_tokens=spend.output_tokens + usage.output_tokens,
        calls=spend.calls + 1,
        price=price,
        currency="" if price is None else table.currency,
    )


def together(one: Spend, other: Spend) -> Spend:
    """Put the spend of two analysts together; the price is None where one's is not known."""
    if not one.calls or not other.calls:
        return one if one.calls else other
    price = None if one.price is None or other.price is None else one.price + other.price
    return Spend(
        model=other.model,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        calls=one.calls + other.calls,
        price=price,
        currency="" if price is None else other.currency,
    )
