"""Regular expressions that take time in proportion to the text, whatever the pattern says."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, kw_only=True, slots=True)
class WholePattern:
    """A compiled pattern that a text has to match from its beginning to its end."""

    program: Any

    def groups(self, text: str) -> Mapping[str, str] | None:
        """Return the groups by number and by name, `0` the whole; None where it does not match.

        A group that took no part is left out, and a text of over 8192 characters never matches.
        """
        if len(text) > SEARCHED_CHARACTERS:
            return None
        found = self.program.fullmatch(text.encode("utf-8", "replace"))
        if found is None:
            return None
        groups = {"0": text}
        for number, value in enumerate(found.groups(), start=1):
            if value is not None:
                groups[str(number)] = value.decode("utf-8", "replace")
        for name, number in self.program.groupindex.items():
            groups[name.decode()] = groups.get(str(number), "")
        return groups


def _options(*, captures: bool = False) -> Any:
    options = re2.Options()
    options.log_errors = False  # the error is ours to say, not the library's to print
    options.max_mem = _MEMORY_BYTES
    options.never_capture = not captures
    options.dot_nl = captures  # as relabelling rules have it
    return options


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Pattern:
    """Compile a pattern; ValueError says what is wrong with it and how to go on."""
    return Pattern(program=_compiled(pattern, _options()))


@lru_cache(maxsize=1024)
def whole(pattern: str) -> WholePattern:
    """Compile a pattern that is to match a whole text; ValueError says what is wrong with it."""
    return WholePattern(program=_compiled(pattern, _options(captures=True)))


def _compiled(pattern: str, options: Any) -> Any:
    if len(pattern) > MOST_PATTERN_CHARACTERS:
        raise ValueError(
            f"longer than {MOST_PATTERN_CHARACTERS} characters; split it into several checks"
        )
    try:
        return re2.compile(pattern.encode(), options)
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


def _compiles_whole(pattern: str) -> str:
    whole(pattern)
    return pattern


WholePatternText = Annotated[str, AfterValidator(_compiles_whole)]
"""The same, of a pattern that is to match a whole text."""
