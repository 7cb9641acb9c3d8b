"""The answer took a fitting number of tokens."""

from __future__ import annotations

from pydantic import Field, model_validator

from exporter.check import checks, failed, over_limit, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings


@checks.register("output_tokens")
class OutputTokens(Settings):
    """The server counted this many output tokens; says nothing where it counts none.

    Too few are a wrong answer, too many a limit exceeded.
    """

    min_tokens: int = Field(1, ge=0, description="fewest")
    max_tokens: int | None = Field(None, ge=1, description="most")

    @model_validator(mode="after")
    def _ordered(self) -> OutputTokens:
        if self.max_tokens is not None and self.max_tokens < self.min_tokens:
            raise ValueError("max_tokens is under min_tokens; exchange them")
        return self

    def examine(self, observation: Observation) -> CheckResult:
        """Compare the server's count with both ends."""
        tokens = observation.output_tokens
        if tokens is not None and tokens < self.min_tokens:
            return failed("output_tokens", f"{tokens} tokens, under {self.min_tokens}")
        if tokens is not None and self.max_tokens is not None and tokens > self.max_tokens:
            return over_limit("output_tokens", f"{tokens} tokens, over {self.max_tokens}")
        return passed("output_tokens")
