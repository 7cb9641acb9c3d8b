"""The first token came in time."""

from __future__ import annotations

from pydantic import Field

from exporter.check import checks, over_limit, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Duration, Settings


@checks.register("max_ttft")
class MaxTtft(Settings):
    """The first token, reasoning included, came within this time of the request's last byte."""

    limit: Duration = Field(gt=0, description="longest time to first token")

    def examine(self, observation: Observation) -> CheckResult:
        """Compare the time to first token with the limit; without tokens it says nothing."""
        seconds = observation.first_token_seconds
        if seconds is None or seconds <= self.limit:
            return passed("max_ttft")
        return over_limit("max_ttft", f"first token after {seconds:.3f} s, limit {self.limit:g} s")
