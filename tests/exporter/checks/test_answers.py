"""The checks of answers, case by case; each table has right and wrong answers."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import exporter.checks  # noqa: F401 - registers the kinds
from exporter.check import checks
from exporter.checks.choice import Choice
from exporter.checks.cosine import Cosine
from exporter.checks.number import Number
from exporter.checks.output_tokens import OutputTokens
from exporter.checks.refusal import _PHRASES, Refusal
from exporter.target import Observation, Reason

ELEVEN = {"value": 11}
PLANETS = {"options": ("Mars", "Venus", "New Venus"), "right": "Venus"}

RIGHT: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("not_regex", {"pattern": "(?i)error"}, "all is well"),
    ("number", ELEVEN, "5 + 6 = 11"),
    ("number", ELEVEN, "11"),
    ("number", ELEVEN, "**11.0**, as 5+6."[:8]),
    ("number", {"value": -3.5}, "It is -3.5."),
    ("number", {"value": -3.5}, "It is \u22123.5"),
    ("number", {"value": 1_234_567.5}, "1,234,567.5 people"),
    ("number", {"value": 5, "which": "first"}, "5 then 6"),
    ("number", {"value": 3.14159, "tolerance": 0.01}, "about 3.14"),
    ("number", {"value": 1000, "relative_tolerance": 0.05}, "some 951"),
    ("number", {"value": 42}, "\u0664\u0662"),
    ("number", {"value": 0.5}, "p = .5"),
    ("number", {"value": 2e-7}, "2e-7 m"),
    ("number", {"value": 4}, "4 of them drank H2O near GPT4"),
    ("choice", PLANETS, "It must be venus."),
    ("choice", {"options": ("A", "B")}, "(B)"),
    ("choice", {"options": ("A", "B"), "right": "A", "ignore_case": False}, "A, a fine one"),
    ("choice", {"options": ("New York", "York"), "right": "New York"}, "New York!"),
    ("contains", {"text": "paris", "ignore_case": True}, "PARIS"),
    ("contains", {"text": "Paris"}, "in Paris."),
    ("equals", {"text": "yes"}, " yes\n"),
    ("equals", {"text": "YES", "ignore_case": True}, "yes"),
    ("equals", {"text": " yes", "strip": False}, " yes"),
    ("length", {}, "a"),
    ("length", {"min_characters": 2, "max_characters": 3}, " ab \n"),
    ("length", {"min_characters": 0}, ""),
    ("refusal", {}, "Paris is the capital. I cannot help but love it."[:22]),
    ("refusal", {"wanted": True}, "I\u2019m sorry, but I can\u2019t assist with that."),
    ("refusal", {"wanted": True, "phrases": ("nope, never",)}, "NOPE,  never."),
)
WRONG: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("not_regex", {"pattern": "(?i)error"}, "an Error of ours"),
    ("number", ELEVEN, "eleven"),
    ("number", ELEVEN, "11 or 12"),
    ("number", ELEVEN, "GPT11"),
    ("number", ELEVEN, "1e999"),
    ("number", {"value": 3.14159, "tolerance": 0.001}, "about 3.14"),
    ("number", {"value": -5}, "7-5"),
    ("choice", PLANETS, "Mars"),
    ("choice", PLANETS, "Venus or Mars"),
    ("choice", PLANETS, "New Venus"),
    ("choice", PLANETS, "Venusian"),
    ("choice", {"options": ("A", "B"), "ignore_case": False}, "a"),
    ("contains", {"text": "paris"}, "PARIS"),
    ("equals", {"text": "yes"}, "yes, it is"),
    ("equals", {"text": "yes", "strip": False}, "yes\n"),
    ("length", {}, "  "),
    ("length", {"max_characters": 3}, "abcd"),
    ("refusal", {}, "I'm unable to answer."),
    ("refusal", {"wanted": True}, "Of course, here it is."),
)


@pytest.mark.parametrize(("kind", "settings", "answer"), RIGHT)
def test_right_answer_passes(kind: str, settings: dict[str, Any], answer: str) -> None:
    """What a right answer may look like."""
    result = checks.get(kind)(**settings).examine(Observation(answer=answer))
    assert (result.passed, result.check) == (True, kind), result.detail


@pytest.mark.parametrize(("kind", "settings", "answer"), WRONG)
def test_wrong_answer_fails(kind: str, settings: dict[str, Any], answer: str) -> None:
    """A wrong answer counts against its canary, and the reason is said."""
    result = checks.get(kind)(**settings).examine(Observation(answer=answer))
    assert (result.passed, result.reason) == (False, Reason.WRONG_ANSWER)
    assert result.detail


@pytest.mark.parametrize("language", sorted(_PHRASES))
def test_every_phrase_is_a_refusal(language: str) -> None:
    """Each phrase is found as it stands, and at a sentence's beginning."""
    check = Refusal()
    for phrase in _PHRASES[language]:
        for answer in (f"{phrase} ...", phrase[0].upper() + phrase[1:]):
            assert not check.examine(Observation(answer=answer)).passed


def test_withheld_answer_is_a_refusal_in_any_language() -> None:
    """The server's own finish reason tells it without a word."""
    check = Refusal()
    assert not check.examine(Observation(finish_reason="content_filter")).passed
    assert check.examine(Observation(answer="Paris", finish_reason="stop")).passed


def test_tokens_are_judged_where_they_are_counted() -> None:
    """Too few are wrong, too many over a limit, none told no fault."""
    check = OutputTokens(min_tokens=3, max_tokens=5)
    results = [check.examine(Observation(output_tokens=count)) for count in (None, 2, 3, 5, 6)]
    assert [each.passed for each in results] == [True, False, True, True, False]
    assert (results[1].reason, results[4].reason) == (Reason.WRONG_ANSWER, None)


@pytest.mark.parametrize(
    ("vector", "passed"),
    [
        (None, True),
        ((3.0, 4.0), True),
        ((3e300, 4e300), True),
        ((3e-300, 4e-300), True),
        ((4.0, 3.0), False),
        ((3.0, 4.0, 0.0), False),
        ((), False),
        ((0.0, 0.0), False),
        ((math.nan, 1.0), False),
        ((math.inf, 1.0), False),
    ],
)
def test_vector_is_compared_with_the_golden_one(
    vector: tuple[float, ...] | None,
    passed: bool,  # noqa: FBT001 - a column of the table
    tmp_path: Path,
) -> None:
    """Only the direction counts; given inline or in a file."""
    file = tmp_path / "golden.json"
    file.write_text(json.dumps([0.6, 0.8]))
    for check in (Cosine(vector=(6.0, 8.0)), Cosine(vector_file=file)):
        assert check.examine(Observation(vector=vector)).passed is passed


@pytest.mark.parametrize("text", ["", "{}", "[]", "[true]", '["1"]', "[0, 0]", "[NaN]"])
def test_file_that_is_no_vector_is_refused(text: str, tmp_path: Path) -> None:
    """It is said when the configuration is read, not at a run."""
    file = tmp_path / "golden.json"
    file.write_text(text)
    with pytest.raises(pydantic.ValidationError, match=r"golden"):
        Cosine(vector_file=file)


@given(st.text(max_size=200) | st.text("0123456789.,-+eE' ", max_size=60))
def test_any_text_is_examined(text: str) -> None:
    """No answer makes the finders of numbers and options raise."""
    observation = Observation(answer=text)
    assert Number(value=1).examine(observation).check == "number"
    assert Choice(options=("a", "1")).examine(observation).check == "choice"


@pytest.mark.parametrize("answer", ["9" * 65_000, "1,111" * 13_000, "a" * 65_000, "1'" * 32_000])
def test_no_answer_holds_the_loop(answer: str) -> None:
    """Finding numbers and options takes time in proportion to the answer."""
    begin = time.monotonic()
    options = tuple("a" * length + "b" for length in range(1, 40))
    for check in (
        Number(value=1),
        Choice(options=(*options, "a", "9")),
    ):
        check.examine(Observation(answer=answer))
    assert time.monotonic() - begin < 60
