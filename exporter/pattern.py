"""Regular expressions that take time in proportion to the text, whatever the pattern says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import re2
from pydantic import AfterValidator

MOST_PATTERN_CHARACTERS = 1000
SEARCHED_CHARACTERS = 1 << 13
"""Of a text: the engine's time is the product of the text's length and the pattern's program."""

_MEMORY_BYTES = 1 << 18
"""Bounds the program that a pattern becomes; counted repetitions multiply it."""

_SYNTAX = "https://github.com/google/re2/wiki/Syntax"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """A compiled pattern of RE2's syntax: no look-around, no references back."""

    program: Any

    def found_in(self, text: str) -> bool:
        """Say whether it matches somewhere in the text's first 8192 characters."""
        searched = text[:SEARCHED_CHARACTERS].encode("utf-8", "replace")
        return self.program.search(searched) is not None


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False  # the error is ours to say, not the library's to print
    options.max_mem = _MEMORY_BYTES
    options.never_capture = True
    return options


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Pattern:
    """Compile a pattern; ValueError says what is wrong with it and how to go on."""
    if len(pattern) > MOST_PATTERN_CHARACTERS:
        raise ValueError(
            f"longer than {MOST_PATTERN_CHARACTERS} characters; split it into several checks"
        )
    try:
        return Pattern(program=re2.compile(pattern.encode(), _options()))
    except re2.error as error:
        raise ValueError(f"not a regular expression ({_said(error)}); {_remedy(pattern)}") from None
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate); remove it") from None


def _said(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _remedy(pattern: str) -> str:
    if "(?=" in pattern or "(?!" in pattern or "(?<" in pattern:
        return f"look-around is not supported, write it as several checks; syntax: {_SYNTAX}"
    if r"\Z" in pattern:
        return r"write \z for the end of the text"
    if any(f"\\{digit}" in pattern for digit in range(1, 10)):
        return f"references back are not supported, write the text twice; syntax: {_SYNTAX}"
    if "{" in pattern:
        return f"repeat less: at most 1000 times, and fewer within one another; syntax: {_SYNTAX}"
    return f"see {_SYNTAX}"


def _compiles(pattern: str) -> str:
    compiled(pattern)
    return pattern


PatternText = Annotated[str, AfterValidator(_compiles)]
"""A pattern in a setting; what the engine cannot take is refused where it is read."""
