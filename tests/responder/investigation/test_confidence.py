"""The rule by which code sets the confidence of a cause."""

from __future__ import annotations

import pytest

from responder.investigation.confidence import allowed, coverage
from responder.investigation.disproof import Disproof
from responder.investigation.evidence import CauseKind, Evidence, Status, Window
from responder.investigation.report import Cause, Claim, Confidence, Refutation

KIND = CauseKind.HUNG_ENGINE
CLAIM = Claim(text="x", evidence=("E1", "E2"))
CAUSE = Cause(component="chat", kind=KIND, confidence=Confidence.LOW, claims=(CLAIM,))


def evidence(
    name: str, source: str, origin: str, status: Status = Status.OK, detail: str = ""
) -> Evidence:
    """Give a piece of evidence."""
    return Evidence(
        id=name,
        source=source,
        title="x",
        query="",
        window=Window(start=0, end=1),
        status=status,
        facts={"origin": origin},
        detail=detail,
    )


TWO = (evidence("E1", "prometheus", "native"), evidence("E2", "exporter", "junior"))
ONE = (evidence("E1", "prometheus", "native"), evidence("E2", "prometheus", "native"))
SILENT = tuple(
    evidence(f"E{n}", f"source{n}", "x", Status.UNAVAILABLE, "no answer") for n in range(3, 6)
)
MISSING = tuple(
    evidence(f"E{n}", f"source{n}", "x", Status.UNAVAILABLE, "not configured") for n in range(3, 6)
)
ALERT = (evidence("E1", "alert", "alert"), evidence("E2", "onset", "onset"))


def disproof(held: object) -> Disproof:
    """Give an attempt of code's."""
    return Disproof.model_validate({"suspect": "chat", "kind": KIND, "question": "?", "held": held})


def refutation(held: object, component: str = "chat") -> Refutation:
    """Give one of the model's."""
    return Refutation.model_validate(
        {"component": component, "kind": KIND, "question": "?", "held": held}
    )


@pytest.mark.parametrize(
    ("seen", "tried", "own", "expected"),
    [
        (TWO, [True], [], Confidence.HIGH),
        (TWO, [True, None], [True], Confidence.HIGH),
        (TWO, [], [True], Confidence.MEDIUM),
        (TWO, [None], [], Confidence.MEDIUM),
        (ONE, [True], [True], Confidence.MEDIUM),
        (TWO, [True, False], [], Confidence.LOW),
        (TWO, [True], [False], Confidence.LOW),
        (ALERT, [True], [], Confidence.LOW),
        ((*TWO, *SILENT), [True], [], Confidence.MEDIUM),
        ((*TWO, *MISSING), [True], [], Confidence.HIGH),
    ],
)
def test_the_rule(
    seen: tuple[Evidence, ...], tried: list[object], own: list[object], expected: Confidence
) -> None:
    """Each condition alone keeps the confidence down; a model's own test never raises it."""
    found = allowed(
        CAUSE, [CLAIM], seen, [disproof(each) for each in tried], [refutation(e) for e in own]
    )
    assert found is expected


def test_what_is_about_another_cause_does_not_count() -> None:
    """A refutation is of one component and kind."""
    found = allowed(CAUSE, [CLAIM], TWO, [disproof(held=True)], [refutation(False, "door")])
    assert found is Confidence.HIGH


def test_coverage_counts_sources() -> None:
    """One that answered that there is nothing has answered; those never asked do not count."""
    empty = evidence("E6", "loki", "loki", Status.EMPTY)
    assert coverage((*TWO, empty, *SILENT)) == pytest.approx(0.5)
    assert coverage((*TWO, *MISSING)) == 1.0
    assert coverage(ALERT) == 0.0
