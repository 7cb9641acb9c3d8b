"""A metric asked by PromQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from responder.investigation.evidence import Evidence
from responder.investigation.querying import asked
from responder.investigation.tool import Bench, tools
from toolkit.settings import Settings


@tools.register("query_metric")
class QueryMetric(Settings):
    """Ask Prometheus one PromQL query over the time around the onset; get numbers of each series.

    Every selector must name its metric. Ranges up to 24 h, offsets up to 8 days.
    """

    query: Annotated[str, Field(min_length=1, max_length=1000, description="PromQL")]
    minutes_before: Annotated[
        int, Field(ge=1, le=360, description="how far before the onset the window begins")
    ] = 30

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether there is a Prometheus."""
        return bench.prometheus is not None

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """Ask it."""
        return [await asked(bench, self.query, self.minutes_before)]
