"""Whose numbers a claim tells: what is true of one component is not taken for another's."""

from __future__ import annotations

import pytest

from responder.investigation.compose import compose
from responder.investigation.evidence import Evidence, Quantity, Status, Window
from responder.investigation.grounding import Ground
from responder.investigation.report import Claim
from responder.investigation.subjects import clauses, shows_trouble
from tests.responder.investigation.scene import Scene
from tests.responder.investigation.test_compose import STAMP, brief_of, cause, draft
from tests.responder.investigation.test_truths import hang

NOON = 1_700_049_600.0
NAMES = {"chat", "gateway", "scorer"}


def evidence(identity: str, component: str, *quantities: Quantity, **more: object) -> Evidence:
    """Make evidence of a component."""
    given: dict[str, object] = {
        "id": identity,
        "source": "prometheus",
        "title": f"{component}: time per request",
        "query": "",
        "window": Window(start=NOON - 1000, end=NOON + 300),
        "status": Status.OK,
        "component": component,
        "quantities": quantities,
    }
    return Evidence.model_validate({**given, **more})


def moved(before: float, since: float, at: float = 0.0, **labels: str) -> tuple[Quantity, ...]:
    """Give what a series was and is, in seconds."""
    return (
        Quantity(name="before", value=before, unit="seconds", labels=labels),
        Quantity(name="since the onset", value=since, unit="seconds", labels=labels),
        Quantity(name="moved at", value=NOON + at, unit="timestamp", labels=labels),
    )


GROUND = Ground(
    [
        evidence("E1", "chat", *moved(0.5, 5.25)),
        evidence("E2", "scorer", *moved(0.25, 0.125, 4)),
        evidence(
            "E3", "gateway", *moved(1, 7.5, upstream="chat"), *moved(2, 2.5, upstream="scorer")
        ),
        evidence("E4", "", title="the alert", source="alert", facts={"label replicas": "3"}),
    ]
)


def problem(text: str, *ids: str) -> str:
    """Ground one claim."""
    return GROUND.claim(Claim(text=text, evidence=ids or ("E1", "E2", "E3", "E4"))).problem


@pytest.mark.parametrize(
    "text",
    [
        "chat takes 5.25 s, was 0.5 s; scorer 125 ms",
        "chat takes 5.25 s while scorer takes 0.125 s",
        "the gateway waits 7.5 s for chat and 2.5 s for scorer",
        "chat and scorer take 5.25 s and 0.125 s",
        "chat moved 4 s before scorer",
        "it takes 5.25 s",
        "chat rose, scorer fell",
        "chat has 3 replicas and takes 5.25 s",
        "chat: time to the first token 5.25 s, was 0.5 s",
    ],
)
def test_a_number_of_its_own_subject_is_found(text: str) -> None:
    """In its clause, in one that goes on from it, or of a pair that is told together."""
    assert problem(text) == ""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("scorer takes 5.25 s", "not of scorer: 5.25 s"),
        ("chat takes 5.25 s, scorer 5.25 s", "not of scorer: 5.25 s"),
        ("chat is slow, was 0.25 s", "not of chat: 0.25 s"),
        ("scorer rose", "not of scorer: rose"),
        ("chat fell while scorer fell", "not of chat: fell"),
    ],
)
def test_a_number_of_another_is_told(text: str, named: str) -> None:
    """It stands in what is cited, of something else."""
    assert problem(text, "E1", "E2", "E4") == named


def test_a_number_of_one_callee_is_not_told_of_another() -> None:
    """One piece of evidence has both, with the name of whom each is of in a label."""
    assert problem("the wait for scorer is 7.5 s", "E3") == "not of scorer: 7.5 s"


def test_a_clause_goes_on_from_the_one_before_it_and_a_sentence_does_not() -> None:
    """So "was 0.5 s" is of chat, and what a new sentence tells may be of anything cited."""
    read = list(clauses("chat takes 5 s, was 0.5 s. Requests wait", NAMES))
    assert [sorted(named) for _, named in read] == [["chat"], ["chat"], []]


@pytest.mark.parametrize(
    ("given", "is_trouble"),
    [
        (evidence("E1", "chat", *moved(1, 1.1)), False),
        (evidence("E1", "chat", *moved(1, 1.5)), True),
        (evidence("E1", "chat", *moved(0, 0)), False),
        (evidence("E1", "chat", facts={"state": "ok"}, source="exporter"), False),
        (evidence("E1", "chat", facts={"state": "hung"}, source="exporter"), True),
        (evidence("E1", "chat", facts={"failure 1 reason": "connect"}, source="exporter"), True),
        (evidence("E1", "chat", source="kubernetes"), True),
    ],
)
def test_trouble_is_a_change_a_state_a_failure_or_an_event(
    given: Evidence, *, is_trouble: bool
) -> None:
    """A series that stays as it was bears out no cause."""
    assert shows_trouble(given) is is_trouble


def test_a_cause_that_nothing_speaks_against_does_not_lead() -> None:
    """A true word about a component that is well makes it no cause."""
    scene = Scene()
    brief = brief_of(scene, *hang(scene))
    well = next(e for e in brief.evidence if e.facts.get("state") == "ok" and e.component)
    name = well.component or ""
    blamed = cause(f"the junior sees {name} as ok", well.id, component=name)
    report = compose(brief, draft(blamed), (), STAMP)
    assert report.causes[0].component == "engine"
    assert any("bears out its first cause" in note for note in report.notes)
    assert f"the junior sees {name} as ok" in {each.text for each in report.unverified}
