"""The tiny model knows a little, says the same each time, and can be plausibly wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.tiny_model import CAPITALS, answer, tokens


@pytest.mark.parametrize("country", CAPITALS)
def test_it_knows_capitals_and_their_impostors(country: str) -> None:
    """The right city is in the right answer and not in the wrong one, which has another."""
    right, wrong = CAPITALS[country]
    prompt = f"What is the capital of {country.title()}?"
    assert right in "".join(answer(prompt))
    said = "".join(answer(prompt, wrong=True))
    assert wrong in said
    assert right not in said


@pytest.mark.parametrize(
    ("prompt", "result"),
    [("What is 17 + 25?", "42"), ("17 plus 25", "42"), ("6 times 7", "42"), ("50 - 8", "42")],
)
def test_it_can_count(prompt: str, result: str) -> None:
    """Sums come out right, and one off when they are to be wrong."""
    assert result in "".join(answer(prompt))
    assert result not in "".join(answer(prompt, wrong=True))


def test_known_answers_have_about_sixteen_tokens() -> None:
    """A canary's answer is long enough to time its tokens."""
    assert len(answer("What is the capital of France?")) == 16
    assert 14 <= len(answer("What is 17 plus 25?")) <= 18


def test_one_word_when_asked_for_one() -> None:
    """A request for one word gets one."""
    assert answer("The capital of France? One word.") == ("Paris",)


@given(st.text(max_size=300))
def test_it_answers_anything_the_same_each_time(prompt: str) -> None:
    """Any prompt has an answer of at least one token, always the same, that joins to its text."""
    said = answer(prompt)
    assert said
    assert said == answer(prompt)
    assert tokens("".join(said)) == said
