"""Patterns: linear in the text, and refused where that cannot be."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.pattern import MOST_PATTERN_CHARACTERS, SEARCHED_CHARACTERS, compiled

EXPLOSIVE = (
    "(a|a)*$",
    "(a+)+$",
    "(a|aa)+$",
    "(.*a){25}$",
    "(?i)(a*)*b",
    "(x+x+)+y",
    r"([a-zA-Z]+)*\d",
    "(?:.?){1000}c",
    r"^(\w+\s?)*$",
    "(((a*)*)*)*b",
)
LONG = "a" * SEARCHED_CHARACTERS
TEXTS = (LONG, LONG[1:] + "!", "x" * len(LONG), "\u00e9" * len(LONG), "ab " * len(LONG))


@pytest.mark.parametrize("pattern", EXPLOSIVE)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_text_holds_the_loop(pattern: str, text: str) -> None:
    """What takes a backtracking engine longer than the universe is done in a moment."""
    begin = time.monotonic()
    compiled(pattern).found_in(text)
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize(
    ("pattern", "remedy"),
    [
        ("(?=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "references back"),
        (r"a\Z", r"\z"),
        ("((a{100}){100}){100}", "repeat less"),
        ("a{1001}", "repeat less"),
        ("(unclosed", "Syntax"),
        ("a" * (MOST_PATTERN_CHARACTERS + 1), "split it"),
        ("\ud800", "surrogate"),
    ],
)
def test_what_cannot_be_bounded_is_refused(
    pattern: str, remedy: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error says the remedy, and the library prints nothing of its own."""
    with pytest.raises(ValueError, match=re.escape(remedy)):
        compiled(pattern)
    assert not capfd.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("(?i)paris", "It is PARIS.", True),
        (r"\bparis\b", "comparison", False),
        ("(?P<n>a)b", "xab", True),
        ("^b", "a\nb", False),
        ("(?m)^b", "a\nb", True),
        ("[^a]", "\u00e9", True),
        (r"\p{Greek}", "\u03b1", True),
        ("a", "\ud800a", True),
        ("z", LONG + "z", False),
    ],
)
def test_patterns_match_as_usual(
    pattern: str,
    text: str,
    found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Letters of any script, flags, groups; only the text's beginning is searched."""
    assert compiled(pattern).found_in(text) is found


@given(
    st.lists(
        st.sampled_from(["a", "b", "[ab]", "[^a]", "a*", "b+", "(ab)?", "a{2}", "|", "^", "."]),
        min_size=1,
        max_size=6,
    ),
    st.text("abc", max_size=12),
)
def test_it_agrees_with_python(parts: list[str], text: str) -> None:
    """Where both engines know a pattern, they find the same."""
    pattern = "".join(parts)
    assert compiled(pattern).found_in(text) is (re.search(pattern, text) is not None)
