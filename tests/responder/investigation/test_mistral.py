"""The Mistral analyst, through the real SDK, against the stand-in over sockets."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
import sys
from email.utils import format_datetime

import pydantic
import pytest

from lab.mistral.server import Persona
from responder.investigation.mistral import (
    BREAKER_FAILURES,
    BREAKER_SECONDS,
    MistralSettings,
)
from responder.investigation.report import Standing
from responder.spend import Price
from tests.responder.investigation.briefs import brief
from tests.responder.investigation.desk import MODEL, Seat, report


async def test_an_honest_draft_cites_what_exists(seat: Seat) -> None:
    """Every claim cites evidence of the brief, and the report has it lead."""
    desk = await seat(prices={MODEL: Price(prompt=1.0, output=2.0)})
    about = brief()
    written = await desk.analyst.analyse(about)
    known = {each.id for each in about.evidence}
    claims = [*written.summary, *(claim for cause in written.causes for claim in cause.claims)]
    assert claims
    assert all(claim.evidence and set(claim.evidence) <= known for claim in claims)
    assert written.spend.calls == 1
    assert written.spend.price == pytest.approx(
        (written.spend.prompt_tokens + 2 * written.spend.output_tokens) / 1e6
    )
    assert desk.outcomes == [(MODEL, "ok")]
    composed = report(about, written)
    assert (composed.causes[0].component, composed.causes[0].kind.value) == ("chat", "hung_engine")
    assert composed.causes[0].claims
    assert all(claim.standing is Standing.VERIFIED for claim in composed.causes[0].claims)


async def test_invented_numbers_do_not_lead(seat: Seat) -> None:
    """What the inventive one says is kept as unverified, and code's own ranking leads."""
    desk = await seat()
    desk.stand_in.persona = Persona(name="inventive")
    about = brief()
    composed = report(about, await desk.analyst.analyse(about))
    assert composed.unverified
    assert all(
        claim.standing is Standing.VERIFIED for cause in composed.causes for claim in cause.claims
    )


async def test_a_hanging_model_is_left_at_the_deadline(seat: Seat) -> None:
    """The error says how long it was and that a call was open; the breaker counts it."""
    desk = await seat(deadline="200ms")
    desk.stand_in.persona = Persona(name="hang")
    assert await desk.fails() == "no report within 0.2 s (call 1 without an end)"
    assert desk.outcomes == [(MODEL, "timeout")]


@pytest.mark.parametrize("name", ["429", "500", "garbage", "truncated", "cut"])
async def test_what_passes_is_tried_again(seat: Seat, name: str) -> None:
    """Two failures that pass are outlived by the third attempt, with growing pauses."""
    desk = await seat()
    desk.stand_in.persona = Persona(name=name, times=2, retry_after=None)
    await desk.analyst.analyse(brief())
    assert desk.time.slept == [0.5, 1.0]
    assert [outcome for _, outcome in desk.outcomes] == ["passing_error", "passing_error", "ok"]


async def test_three_attempts_are_all(seat: Seat) -> None:
    """A service that stays broken is asked three times, and its code is told."""
    desk = await seat()
    desk.stand_in.persona = Persona(name="500")
    assert (await desk.fails()).startswith("model answered 500")
    assert len(desk.stand_in.received) == 3


async def test_retry_after_is_a_floor(seat: Seat) -> None:
    """No attempt comes before the time that the server names."""
    desk = await seat()
    desk.stand_in.persona = Persona(name="429", times=2, retry_after="3")
    await desk.analyst.analyse(brief())
    assert desk.time.slept == [3.0, 3.0]


async def test_retry_after_may_be_a_date(seat: Seat) -> None:
    """The header's other form is read too."""
    desk = await seat()
    when = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=6)
    stamp = format_datetime(when, usegmt=True)
    desk.stand_in.persona = Persona(name="429", times=1, retry_after=stamp)
    await desk.analyst.analyse(brief())
    assert 1.0 < desk.time.slept[0] <= 6.0


@pytest.mark.parametrize("wish", ["86400", "9"])
async def test_a_long_wait_is_not_waited_for(seat: Seat, wish: str) -> None:
    """Over the cap the embedded analyst writes at once."""
    desk = await seat()
    desk.stand_in.persona = Persona(name="429", retry_after=wish)
    assert await desk.fails() == "model answered 429 (rate_limited 1300)"
    assert desk.time.slept == []


@pytest.mark.parametrize("wish", ["soon", "", "nan", "inf", "-5", "9" * 400, "1e999"])
async def test_a_senseless_retry_after_is_none(seat: Seat, wish: str) -> None:
    """What is neither seconds nor a date does not hold the retry up, or ends it."""
    desk = await seat()
    desk.stand_in.persona = Persona(name="429", retry_after=wish)
    await desk.fails()
    assert all(pause <= 1.0 for pause in desk.time.slept)


async def test_no_pause_outlasts_the_deadline(seat: Seat) -> None:
    """A wait for which no time is left is not begun."""
    desk = await seat(deadline="2s")
    desk.stand_in.persona = Persona(name="429", retry_after="5")
    await desk.fails()
    assert desk.time.slept == []


async def test_the_breaker_opens_and_lets_one_try(seat: Seat) -> None:
    """After repeated failures nobody is asked for a while; then one attempt decides."""
    desk = await seat()
    desk.stand_in.persona = Persona(name="429", retry_after="86400")
    for _ in range(BREAKER_FAILURES):
        await desk.fails()
    asked = len(desk.stand_in.received)
    assert "not asked for 60 s more" in await desk.fails()
    desk.time.now += BREAKER_SECONDS
    assert "429" in await desk.fails()
    assert "not asked" in await desk.fails()
    assert len(desk.stand_in.received) == asked + 1
    desk.time.now += BREAKER_SECONDS
    desk.stand_in.persona = Persona()
    await desk.analyst.analyse(brief())
    desk.stand_in.persona = Persona(name="429", retry_after="86400")
    assert "429" in await desk.fails()
    assert "429" in await desk.fails()


async def test_a_malformed_answer_is_mended_once(seat: Seat) -> None:
    """The correction keeps the API's order of messages, and both calls are charged."""
    desk = await seat()
    desk.stand_in.persona = Persona(name="malformed")
    written = await desk.analyst.analyse(brief())
    assert written.spend.calls == 2
    assert [outcome for _, outcome in desk.outcomes] == ["unreadable", "ok"]
    roles = [each["role"] for each in desk.stand_in.received[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]


async def test_a_model_that_never_submits_is_given_up(seat: Seat) -> None:
    """Prose in the place of a call is answered once, then it is over."""
    desk = await seat()
    desk.stand_in.persona = Persona(name="stubborn")
    assert await desk.fails() == "the model did not call submit_report"
    assert len(desk.stand_in.received) == 2


async def test_a_cut_answer_names_its_remedy(seat: Seat) -> None:
    """The token limit is the reader's to raise."""
    desk = await seat(max_output_tokens=100)
    assert "raise max_output_tokens" in await desk.fails()


async def test_the_fallback_model_writes_when_the_first_is_gone(seat: Seat) -> None:
    """A model that is no more is no end, and the report says who wrote."""
    desk = await seat(model="mistral-retired", fallback_model=MODEL)
    written = await desk.analyst.analyse(brief())
    assert written.analyst == f"mistral ({MODEL})"
    assert "mistral-retired: model refused with 400" in written.notes[-1]
    assert desk.outcomes == [("mistral-retired", "refused"), (MODEL, "ok")]


async def test_the_fallback_model_has_time_when_the_first_hangs(seat: Seat) -> None:
    """A share of the deadline is kept for it."""
    desk = await seat(deadline="3s", fallback_model="mistral-medium-latest")
    desk.stand_in.persona = Persona(name="hang", times=1)
    written = await desk.analyst.analyse(brief())
    assert written.analyst == "mistral (mistral-medium-latest)"
    assert desk.outcomes == [(MODEL, "timeout"), ("mistral-medium-latest", "ok")]


async def test_many_analyses_share_one_client(seat: Seat) -> None:
    """Analyses that begin at once wait for one connection, and each has its own draft."""
    desk = await seat()
    await desk.analyst.aclose()
    drafts = await asyncio.gather(*(desk.analyst.analyse(brief()) for _ in range(5)))
    assert len(drafts) == 5
    assert {each.spend.calls for each in drafts} == {1}


@pytest.mark.parametrize("url", ["http://host/v1", "https://host/v1/", "host:8000", "ftp://host"])
def test_a_wrong_server_is_refused(url: str) -> None:
    """The client adds /v1 itself, and speaks HTTP alone."""
    with pytest.raises(pydantic.ValidationError, match=r"write it like|leave /v1 out"):
        MistralSettings.model_validate({"server_url": url})


def test_the_sdk_is_not_imported_before_it_is_wanted() -> None:
    """Who uses the embedded analyst pays neither its time nor its memory."""
    code = (
        "import sys, responder.investigation.mistral as _;"
        "sys.exit(bool({'mistralai', 'httpx2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
