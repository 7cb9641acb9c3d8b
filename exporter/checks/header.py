"""A response header is as it should be."""

from __future__ import annotations

from pydantic import Field

from exporter.check import checks, failed, passed
from exporter.pattern import PatternText, compiled
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings


@checks.register("header")
class Header(Settings):
    """The header is there, and its value matches the pattern, or must not."""

    name: str = Field(
        min_length=1, max_length=100, pattern=r"^[!-~]+$", description="in any letters' case"
    )
    pattern: PatternText = Field(
        "", description="in RE2's syntax; a header that came several times is joined by commas"
    )
    matches: bool = Field(True, description="false: the pattern must not match")
    may_be_missing: bool = Field(False, description="true: without the header all is right")

    def examine(self, observation: Observation) -> CheckResult:
        """Look the header up and search its value."""
        value = observation.headers.get(self.name.lower())
        if value is None:
            missing = failed("header", f"no header {self.name}")
            return passed("header") if self.may_be_missing else missing
        if compiled(self.pattern).found_in(value) is not self.matches:
            verb = "does not match" if self.matches else "matches"
            return failed("header", f"the pattern {verb} in {self.name}")
        return passed("header")
