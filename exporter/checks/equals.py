"""The answer equals a text."""

from __future__ import annotations

from pydantic import Field

from exporter.check import checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings


@checks.register("equals")
class Equals(Settings):
    """The answer is this text, white space around both left out unless told otherwise."""

    text: str = Field(description="what the answer must be")
    ignore_case: bool = Field(False, description="whether capitals may differ")
    strip: bool = Field(True, description="whether white space around the texts is left out")

    def examine(self, observation: Observation) -> CheckResult:
        """Compare the answer with the text."""
        if self._plain(observation.answer) == self._plain(self.text):
            return passed("equals")
        return failed("equals", "the answer is another text")

    def _plain(self, text: str) -> str:
        stripped = text.strip() if self.strip else text
        return stripped.casefold() if self.ignore_case else stripped
