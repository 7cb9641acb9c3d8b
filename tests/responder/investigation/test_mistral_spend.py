"""What the analyst spends: counted where it fails, too, and never over a ceiling."""

from __future__ import annotations

import pytest

from lab.mistral.server import Persona
from responder.investigation.analyst import AnalystError, CeilingError
from responder.investigation.mistral import MistralSettings
from responder.investigation.stages import Limits, Stages
from responder.source import Topology
from responder.spend import Price
from tests.responder.investigation.briefs import brief
from tests.responder.investigation.desk import MODEL, Desk, Seat, report

SMALL = {"incident": {"tokens": 4000}}


def stages(desk: Desk) -> Stages:
    """Return the stages before the desk's analyst; nothing is gathered."""
    return Stages(
        sources=(),
        topology=Topology(component_label="service"),
        analysts=(desk.analyst,),
        session=None,  # type: ignore[arg-type]  # no source is asked
        limits=Limits(),
        clock=lambda: 0.0,
    )


async def test_a_model_that_never_submits_is_paid_for(seat: Seat) -> None:
    """The error carries what its calls cost, and the embedded report states it."""
    desk = await seat(prices={MODEL: Price(prompt=1.0, output=2.0)})
    desk.stand_in.persona = Persona(name="stubborn")
    with pytest.raises(AnalystError) as failure:
        await desk.analyst.analyse(brief())
    assert failure.value.spend.calls == 2
    assert failure.value.spend.prompt_tokens > 0
    about = brief()
    composed = report(about, await stages(desk).analyse(about))
    assert composed.analyst == "embedded"
    assert composed.spend.model == MODEL
    assert composed.spend.price is not None
    assert composed.spend.price > 0


async def test_at_the_ceiling_code_writes_and_the_report_says_so(seat: Seat) -> None:
    """The call is not made; the report comes, and names the ceiling."""
    desk = await seat(ceilings=SMALL)
    about = brief()
    composed = report(about, await stages(desk).analyse(about))
    assert len(desk.stand_in.received) == 0
    assert composed.analyst == "embedded"
    assert any(
        note.startswith("no more is spent on a model: the ceiling of 4000")
        for note in composed.notes
    )
    assert desk.outcomes == [(MODEL, "ceiling")]


async def test_a_ceiling_in_the_middle_ends_the_talk(seat: Seat) -> None:
    """What the first call cost leaves no room for its correction, and is carried."""
    first = await seat()
    await first.analyst.analyse(brief())
    spent = (await first.analyst.analyse(brief())).spend
    roomy = spent.prompt_tokens * 5 + 3500
    desk = await seat(ceilings={"incident": {"tokens": roomy}})
    desk.stand_in.persona = Persona(name="stubborn")
    while True:
        with pytest.raises(AnalystError) as failure:
            await desk.analyst.analyse(brief())
        if isinstance(failure.value, CeilingError):
            break
    assert 1 <= len(desk.stand_in.received) <= 8
    assert desk.outcomes[-1] == (MODEL, "ceiling")


async def test_a_models_own_ceiling_leaves_the_fallback(seat: Seat) -> None:
    """The fallback model writes where only the first one's money is spent."""
    cheap = "ministral-8b-latest"
    desk = await seat(fallback_model=cheap, ceilings={"models": {MODEL: {"day": {"tokens": 10}}}})
    written = await desk.analyst.analyse(brief())
    assert written.analyst == f"mistral ({cheap})"
    assert "ceiling of 10 tokens" in written.notes[-1]


@pytest.mark.parametrize("name", ["429", "500"])
async def test_refusals_reserve_nothing_for_long(seat: Seat, name: str) -> None:
    """A server that refuses costs nothing, so that its retries fit under a small ceiling."""
    desk = await seat(ceilings={"incident": {"tokens": 25_000}})
    desk.stand_in.persona = Persona(name=name, retry_after=None)
    for _ in range(2):
        assert "ceiling" not in await desk.fails()
    desk.stand_in.persona = Persona()
    await desk.analyst.analyse(brief())


@pytest.mark.parametrize("name", ["garbage", "truncated", "cut"])
async def test_an_answer_that_cannot_be_read_is_not_free(seat: Seat, name: str) -> None:
    """The ceiling sees what it likely cost, since nothing said what it did."""
    desk = await seat(ceilings={"incident": {"tokens": 20_000}})
    desk.stand_in.persona = Persona(name=name)
    problems = [await desk.fails() for _ in range(2)]
    assert "ceiling" in problems[-1]


@pytest.mark.parametrize(
    "ceilings",
    [{"day": {"price": 1}}, {"models": {"a": {"month": {"price": 1}}}}],
)
def test_a_ceiling_on_an_unknown_price_is_refused(ceilings: dict[str, object]) -> None:
    """It would limit nothing, and look as if it did."""
    with pytest.raises(ValueError, match="add the model to `prices`"):
        MistralSettings.model_validate({"model": "a", "ceilings": ceilings})
