"""What a model's answers cost."""

from __future__ import annotations

from responder.investigation.report import Spend
from responder.spend import Price, PriceTable, Usage, charged

TABLE = PriceTable(prices={"small": Price(prompt=0.15, output=0.60)}, currency="USD")


def usage(model: str = "small", prompt: int = 1_000_000, output: int = 500_000) -> Usage:
    """Return what a call used."""
    return Usage(model=model, prompt_tokens=prompt, output_tokens=output)


def test_a_call_costs_its_tokens_by_the_table() -> None:
    """A million prompt tokens at .15 and half a million output tokens at .60 are .45."""
    spend = charged(Spend(), usage(), TABLE)
    assert spend.price is not None
    assert round(spend.price, 6) == 0.45
    assert (spend.calls, spend.currency, spend.model) == (1, "USD", "small")


def test_calls_add_up() -> None:
    """Tokens, calls and price of a second call are added to the first's."""
    spend = charged(charged(Spend(), usage(), TABLE), usage(), TABLE)
    assert spend.price is not None
    assert (spend.prompt_tokens, spend.output_tokens, spend.calls) == (2_000_000, 1_000_000, 2)
    assert round(spend.price, 6) == 0.9


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    """A report never states a price that leaves a call out."""
    known = charged(Spend(), usage(), TABLE)
    mixed = charged(known, usage("other"), TABLE)
    assert (mixed.price, mixed.currency) == (None, "")
    assert charged(mixed, usage(), TABLE).price is None
