"""The last failing exchanges of a target, as its junior kept them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from responder.investigation.evidence import Evidence, Status
from responder.investigation.tool import Bench, tools
from toolkit.settings import Settings


@tools.register("last_exchanges")
class LastExchanges(Settings):
    """Read the state, measurements and last failing exchanges of one target."""

    target: Annotated[str, Field(min_length=1, max_length=200)]

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether there is an exporter."""
        return bench.exporter is not None

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """Ask for them."""
        source = bench.exporter
        if source is None:
            query, problem = f"exchanges of {self.target}", "no exporter is configured"
            return [bench.made("exporter", query, query, Status.UNAVAILABLE, detail=problem)]
        return await source.exchanges(self.target, bench.question)
