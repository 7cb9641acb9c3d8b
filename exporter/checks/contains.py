"""The answer contains a text."""

from __future__ import annotations

from pydantic import Field

from exporter.check import EXAMINED_CHARACTERS, checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings


@checks.register("contains")
class Contains(Settings):
    """The answer contains this text, case included unless told otherwise."""

    text: str = Field(min_length=1, description="what the answer must contain")
    ignore_case: bool = Field(False, description="whether capitals may differ")

    def examine(self, observation: Observation) -> CheckResult:
        """Look for the text."""
        answer, text = observation.answer[:EXAMINED_CHARACTERS], self.text
        if self.ignore_case:
            answer, text = answer.casefold(), text.casefold()
        if text in answer:
            return passed("contains")
        return failed("contains", "the text is not in the answer")
