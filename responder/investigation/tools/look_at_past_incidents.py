"""Incidents of before in which an alert fired: hypotheses to test, never evidence of this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from responder.investigation.evidence import Evidence, Status
from responder.investigation.tool import Bench, tools
from toolkit.settings import Settings


@tools.register("look_at_past_incidents")
class LookAtPastIncidents(Settings):
    """Look at earlier incidents of an alert: what was found then, to be tested now, no proof."""

    alert: Annotated[str, Field(min_length=1, max_length=128)]

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether there is a memory."""
        return bench.memory is not None

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """Ask it."""
        source = bench.memory
        if source is None:
            query, problem = f"incidents of {self.alert}", "there is no memory"
            return [bench.made("incidents", query, query, Status.UNAVAILABLE, detail=problem)]
        return await source.remembered(self.alert, bench.question)
