"""The answer equals a text."""

from __future__ import annotations

from pydantic import Field

from exporter.check import checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings


@checks.register("equals")
class Equals(Settings):
    """The answer is this text, white space around both left out."""

    text: str = Field(description="what the answer must be")

    def examine(self, observation: Observation) -> CheckResult:
        """Compare the answer with the text."""
        if observation.answer.strip() == self.text.strip():
            return passed("equals")
        return failed("equals", "the answer is another text")
