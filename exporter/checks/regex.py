"""The answer matches a regular expression."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from exporter.check import checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings

SEARCHED_CHARACTERS = 1 << 13
"""Of an answer; fewer than other checks read, since many patterns take the square of it."""

# An escaped character, or a set of characters: neither opens a group nor repeats.
_LITERAL = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"not a regular expression ({error}); see Python's re for the syntax"
        ) from error
    if _is_explosive(pattern):
        raise ValueError(
            "a repeated group that itself repeats without bound can take for ever on a hostile"
            " answer; write it with one repetition, like a+ for (a+)+"
        )
    return pattern


def _is_explosive(pattern: str) -> bool:
    """Find a group that holds an unbounded repetition and is repeated without bound itself.

    That is the commonest form of catastrophic backtracking, and not the only one.
    """
    plain = _LITERAL.sub("x", pattern)
    repeats = [False]
    for position, character in enumerate(plain):
        if character == "(":
            repeats.append(False)
        elif character == ")" and len(repeats) > 1:
            inner = repeats.pop()
            outer = _UNBOUNDED.match(plain, position + 1) is not None
            if inner and outer:
                return True
            repeats[-1] = repeats[-1] or inner or outer
        elif _UNBOUNDED.match(plain, position):
            repeats[-1] = True
    return False


@checks.register("regex")
class Regex(Settings):
    """Somewhere in the answer's first 8192 characters the pattern matches."""

    pattern: Annotated[str, AfterValidator(_compiles)] = Field(
        min_length=1, max_length=1000, description="in Python's syntax, e.g. (?i)paris"
    )

    def examine(self, observation: Observation) -> CheckResult:
        """Search the answer for the pattern."""
        if re.search(self.pattern, observation.answer[:SEARCHED_CHARACTERS]):
            return passed("regex")
        return failed("regex", "the pattern matches nowhere in the answer")
