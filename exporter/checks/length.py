"""The answer has a fitting length."""

from __future__ import annotations

from pydantic import Field, model_validator

from exporter.check import checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings


@checks.register("length")
class Length(Settings):
    """The answer is no shorter and no longer than this, white space around it left out."""

    min_characters: int = Field(1, ge=0, description="fewest")
    max_characters: int | None = Field(None, ge=1, description="most")

    @model_validator(mode="after")
    def _ordered(self) -> Length:
        if self.max_characters is not None and self.max_characters < self.min_characters:
            raise ValueError("max_characters is under min_characters; exchange them")
        return self

    def examine(self, observation: Observation) -> CheckResult:
        """Compare the length with both ends."""
        length = len(observation.answer.strip())
        if length < self.min_characters:
            return failed("length", f"{length} characters, under {self.min_characters}")
        if self.max_characters is not None and length > self.max_characters:
            return failed("length", f"{length} characters, over {self.max_characters}")
        return passed("length")
