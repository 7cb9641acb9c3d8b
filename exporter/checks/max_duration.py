"""The whole run ended in time."""

from __future__ import annotations

from pydantic import Field

from exporter.check import checks, over_limit, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Duration, Settings


@checks.register("max_duration")
class MaxDuration(Settings):
    """The exchange, name resolution included, took no longer than this."""

    limit: Duration = Field(gt=0, description="longest duration")

    def examine(self, observation: Observation) -> CheckResult:
        """Compare the duration with the limit."""
        seconds = observation.duration_seconds
        if seconds <= self.limit:
            return passed("max_duration")
        return over_limit("max_duration", f"took {seconds:.3f} s, limit {self.limit:g} s")
