"""The answer matches no regular expression that it must not."""

from __future__ import annotations

from pydantic import Field

from exporter.check import checks, failed, passed
from exporter.pattern import PatternText, compiled
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings


@checks.register("not_regex")
class NotRegex(Settings):
    """Nowhere in the answer's first 8192 characters the pattern matches."""

    pattern: PatternText = Field(
        min_length=1,
        description="in RE2's syntax, which is Python's without look-around, e.g. (?i)error",
    )

    def examine(self, observation: Observation) -> CheckResult:
        """Search the answer for the pattern."""
        if compiled(self.pattern).found_in(observation.answer):
            return failed("not_regex", "the pattern matches in the answer")
        return passed("not_regex")
