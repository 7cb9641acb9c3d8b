"""The answer contains a text."""

from __future__ import annotations

from pydantic import Field

from exporter.check import EXAMINED_CHARACTERS, checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings


@checks.register("contains")
class Contains(Settings):
    """The answer contains this text, case included."""

    text: str = Field(min_length=1, description="what the answer must contain")

    def examine(self, observation: Observation) -> CheckResult:
        """Look for the text."""
        if self.text in observation.answer[:EXAMINED_CHARACTERS]:
            return passed("contains")
        return failed("contains", "the text is not in the answer")
