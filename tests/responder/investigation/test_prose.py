"""Words that tell an order, headlines and actions: what is in no evidence does not stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from responder.investigation.compose import Stamp, compose
from responder.investigation.evidence import CauseKind, Evidence, Quantity, Status, Window
from responder.investigation.grounding import Ground
from responder.investigation.prose import split, uncarried
from responder.investigation.report import Action, Cause, Claim, Confidence, Draft, Standing
from tests.responder.investigation.briefs import ONSET, brief


def seen(name: str, component: str, **moments: float) -> Evidence:
    """Give evidence of a component, with moments in seconds after the onset."""
    quantities = [
        Quantity(name=word.replace("_", " "), value=ONSET + at, unit="timestamp")
        for word, at in moments.items()
    ]
    return Evidence(
        id=name,
        source="prometheus",
        title=f"series of {component}",
        query="",
        window=Window(start=ONSET - 60, end=ONSET + 60),
        status=Status.OK,
        component=component,
        quantities=tuple(quantities),
        facts={"origin": "native", "service": component},
    )


GROUND = Ground(
    [
        seen("E1", "scorer", moved_at=20.0),
        seen("E2", "features", moved_at=5.0),
        seen("E3", "gateway"),
        seen("E4", "door", onset=10.0),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "features moved before scorer",
        "scorer moved after features",
        "scorer followed features",
        "features failed 15 s before scorer",
        "features moved before the onset",
        "features preceded scorer; scorer is slow",
        "the version before scorer",
        "scorer was well before; features was not",
    ],
)
def test_an_order_that_the_moments_bear_out(text: str) -> None:
    """Or a word that tells none."""
    claim = GROUND.claim(Claim(text=text, evidence=("E1", "E2", "E4")))
    assert claim.standing is Standing.VERIFIED, claim.problem


@pytest.mark.parametrize(
    "text",
    [
        "scorer moved before features",
        "features moved after scorer",
        "scorer failed earlier than features",
        "features followed scorer",
        "scorer moved before the onset",
        "gateway moved before scorer",
        "scorer moved before gateway",
    ],
)
def test_an_order_that_nothing_bears_out(text: str) -> None:
    """Turned round, or of something whose moments nobody saw."""
    claim = GROUND.claim(Claim(text=text, evidence=("E1", "E2", "E3", "E4")))
    assert claim.standing is Standing.UNVERIFIED
    assert "not in the cited evidence" in claim.problem


def test_the_words_of_an_analysts_query_are_no_witness() -> None:
    """A name that it planted in its own query is not found there."""
    asked = seen("E5", "scorer").model_copy(
        update={"query": 'm{node="rack_7"} or m', "facts": {"asked by": "the analyst"}}
    )
    claim = Ground([asked]).claim(Claim(text="scorer fails on rack_7", evidence=("E5",)))
    assert claim.standing is Standing.UNVERIFIED


def test_a_headline_says_no_number_that_no_claim_does() -> None:
    """Even one that stands in the evidence."""
    claims = [Claim(text="chat generates 0 tokens, was 118.4", evidence=("E1",))]
    assert uncarried("chat fell from 118.4 to 0", claims) == ()
    assert uncarried("chat fell from 118.4 to 3 at 10:05", claims) == ("3", "10:05")


def test_actions_name_what_was_seen() -> None:
    """A version out of nowhere makes no action; what a runbook says stays."""
    actions = [
        Action(text="Look at the engine of scorer.", source="unverified"),
        Action(text="Roll scorer back to 9.9.9.", source="unverified"),
        Action(text="Roll back to 8.8.8.", source="VigieTargetHung"),
    ]
    kept, doubtful = split(actions, GROUND)
    assert [each.text for each in kept] == [actions[0].text, actions[2].text]
    assert [each.standing for each in doubtful] == [Standing.UNVERIFIED]
    assert "9.9.9" in doubtful[0].problem


def test_a_report_whose_first_cause_is_unverified_is_codes() -> None:
    """It says so, keeps what the model said as unverified, and its headline is not the model's."""
    claim = Claim(text="chat generates 77 tokens per second", evidence=("E1",))
    first = Cause(
        component="chat", kind=CauseKind.NETWORK, confidence=Confidence.HIGH, claims=(claim,)
    )
    action = Action(text="Restart node-77.", source="unverified")
    draft = Draft(
        analyst="mistral (m)",
        headline="chat generates 77 tokens",
        summary=(),
        causes=(first,),
        actions=(action,),
    )
    about = brief()
    named = about.evidence[0].model_copy(update={"facts": {"service": "chat"}})
    about = replace(about, evidence=(named, about.evidence[1]))
    stamp = Stamp(report_id="r1", started_at=0.0, now=1.0)
    composed = compose(about, draft, (), stamp)
    assert composed.causes[0].kind is CauseKind.HUNG_ENGINE
    assert any("code's ranking leads" in note for note in composed.notes)
    assert "77" not in composed.headline
    assert claim.text in {each.text for each in composed.unverified}
    assert all("77" not in each.text for each in composed.actions)
