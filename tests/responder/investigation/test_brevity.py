"""A report that says too much is cut, and one that is wrong is left as wrong as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from responder.investigation.analyst import AnswerError
from responder.investigation.brevity import MOST, shortened
from responder.investigation.prompt import ReportArguments, read

CLAIM = {"text": "chat hangs", "evidence": ["E1"]}
CAUSE = {"component": "chat", "kind": "hung_engine", "claims": [CLAIM]}


def report(**more: Any) -> dict[str, Any]:
    """Give the arguments of a report."""
    return {"headline": "h", "causes": [CAUSE], **more}


def test_what_is_too_much_is_cut() -> None:
    """Lists to their limits, texts between two words, all of it in the form that is read."""
    long = "word 12345 " * 200
    claim = {"text": long, "evidence": [f"E{n}" for n in range(40)]}
    action = {"text": long, "source": "s" * 400}
    flood = report(
        headline=long,
        summary=[claim] * 40,
        causes=[{**CAUSE, "claims": [claim] * 40}] * 40,
        ruled_out=[claim] * 40,
        actions=[action] * 40,
    )
    for given in (flood, json.dumps(flood)):
        made = read(given)
        assert len(made.causes) == MOST["causes"]
        assert len(made.summary) == MOST["summary"]
        assert all(
            each in {"word", "12345", "…", "12345…", "word…"} for each in made.headline.split()
        )
        assert len(made.actions[0].text) <= 400


def test_a_report_of_the_right_size_is_left_alone() -> None:
    """To the letter."""
    given = report(summary=[CLAIM], actions=[{"text": "restart", "source": ""}])
    assert shortened(given) == given


@pytest.mark.parametrize("field", ReportArguments.model_fields)
def test_another_type_is_refused_as_before(field: str) -> None:
    """What is no list of that is not made one."""
    for odd in (7, {"a": 1}, [[["deep"] * 9] * 9] * 9):
        with pytest.raises(AnswerError, match="refused"):
            read(report(**{field: odd}))


def test_what_is_too_deep_is_refused() -> None:
    """Whatever is nested, nothing breaks."""
    with pytest.raises(AnswerError):
        read('{"causes": ' + "[" * 100_000 + "]" * 100_000 + "}")
