"""What was spent, on its page, as JSON and as metrics, beside the ceilings."""

from __future__ import annotations

import pytest

from responder.ceilings import Ceilings
from responder.investigation.analyst import CeilingError
from responder.ledger import Ledger, Planned
from responder.spend import Price, PriceTable, Usage
from tests.responder.conftest import Place, Start
from tests.responder.test_pages import HOSTILE, assert_tame

LIMITED = """
analyst:
  kind: mistral
  model: small
  prices: {small: {prompt: 1, output: 2}}
  ceilings: {day: {tokens: 20000, price: 3}, models: {small: {month: {tokens: 30000}}}}
"""
TABLE = PriceTable(prices={"small": Price(prompt=1, output=2)}, currency="EUR")


async def spend(place: Place, model: str = "small", tokens: int = 1000) -> None:
    """Make a call of a model, as an investigation does."""
    ledger = place.responder.surroundings.ledger
    assert isinstance(ledger, Ledger)
    plan = Planned(
        incident_id="abc",
        model=model,
        sent_bytes=4 * tokens,
        output_tokens=100,
        longest_seconds=20,
    )
    ceilings = place.responder.current.ceilings() or Ceilings()
    async with ledger.call(plan, ceilings, TABLE) as slip:
        slip.usage = Usage(model=model, prompt_tokens=tokens, output_tokens=50)
    await ledger.aclose()


async def test_the_ledger_is_shown(start: Start) -> None:
    """The page and the API say what was spent, of how much, and in which calls."""
    place = await start(LIMITED)
    assert "None yet." in await place.text("/spend")
    await spend(place)
    page = await place.text("/spend")
    assert "1050" in page
    assert "20000" in page
    assert "0.0011 EUR" in page
    data = await place.read("/api/v1/spend")
    rows = {(each["window"], each["model"]): each for each in data["spent"]}
    assert rows["day", ""]["tokens"] == rows["month", "small"]["tokens"] == 1050
    assert (rows["day", ""]["tokens_ceiling"], rows["day", ""]["price_ceiling"]) == (20000, 3)
    assert rows["month", "small"]["tokens_ceiling"] == 30000
    assert data["incident_ceilings"]["tokens"] == 500_000
    assert [(each["state"], each["incident_id"]) for each in data["calls"]] == [("settled", "abc")]


async def test_a_models_name_is_text_on_the_page(start: Start) -> None:
    """Whatever a server calls its models."""
    place = await start(LIMITED)
    await spend(place, HOSTILE)
    assert_tame(await place.text("/spend"))


async def test_without_a_model_there_is_nothing_to_limit(start: Start) -> None:
    """The embedded analyst costs nothing, and the page says that no model is asked."""
    place = await start()
    assert "asks no model" in await place.text("/spend")
    assert (await place.read("/api/v1/spend"))["incident_ceilings"] is None
    assert "vigie_responder_model_ceiling_tokens" not in await place.text("/metrics")


async def test_metrics_tell_what_is_spent_and_what_a_ceiling_stopped(start: Start) -> None:
    """Spent and ceiling stand beside each other, and a call that was not made is counted."""
    place = await start(LIMITED)
    seen = await place.text("/metrics")
    for window in ("incident", "day", "month"):
        zero = f'vigie_responder_model_ceilings_reached_total{{model="",window="{window}"}} 0.0'
        assert zero in seen
    await spend(place)
    with pytest.raises(CeilingError):
        await spend(place, tokens=5000)
    seen = await place.text("/metrics")
    assert 'vigie_responder_model_spent_tokens{model="small",window="day"} 1050.0' in seen
    assert 'vigie_responder_model_spent_price{model="",window="month"} 0.0011' in seen
    assert 'vigie_responder_model_ceiling_tokens{model="",window="day"} 20000.0' in seen
    assert 'vigie_responder_model_ceiling_price{model="",window="day"} 3.0' in seen
    assert 'vigie_responder_model_ceilings_reached_total{model="",window="day"} 1.0' in seen
