"""What a component has logged since the onset that it had not before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from responder.investigation.evidence import Evidence, Status
from responder.investigation.tool import Bench, tools
from toolkit.settings import Settings


@tools.register("read_log_templates")
class ReadLogTemplates(Settings):
    """Read which log lines of a component are new or more frequent since the onset."""

    component: Annotated[str, Field(min_length=1, max_length=200)]

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether logs are kept anywhere."""
        return bench.logs is not None

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """Read them."""
        source = bench.logs
        if source is None:
            query, problem = f"logs of {self.component}", "no logs are configured"
            return [bench.made("loki", query, query, Status.UNAVAILABLE, detail=problem)]
        return await source.logs_of(self.component, bench.question)
