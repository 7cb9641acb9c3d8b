"""The answer matches a regular expression."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from exporter.check import EXAMINED_CHARACTERS, checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"not a regular expression ({error}); see Python's re for the syntax"
        ) from error
    return pattern


@checks.register("regex")
class Regex(Settings):
    """Somewhere in the answer the pattern matches."""

    pattern: Annotated[str, AfterValidator(_compiles)] = Field(
        min_length=1, max_length=1000, description="in Python's syntax, e.g. (?i)paris"
    )

    def examine(self, observation: Observation) -> CheckResult:
        """Search the answer for the pattern."""
        if re.search(self.pattern, observation.answer[:EXAMINED_CHARACTERS]):
            return passed("regex")
        return failed("regex", "the pattern matches nowhere in the answer")
