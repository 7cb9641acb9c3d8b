"""Opens the investigation that a configuration describes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from responder.assembly import Surroundings
from responder.config import ANALYST_GRACE_SECONDS, Config
from responder.investigation.analyst import Analyst
from responder.investigation.mistral import MistralAnalyst, MistralSettings
from responder.investigation.stages import Limits, Stages


@asynccontextmanager
async def investigator(config: Config, surroundings: Surroundings) -> AsyncIterator[Stages]:
    """Build the stages with their sources and analyst; the analyst's client closes at the end."""
    async with AsyncExitStack() as stack:
        analysts: list[Analyst] = []
        analyst = config.analyst
        if isinstance(analyst, MistralSettings):
            model = MistralAnalyst(analyst, observe=surroundings.model_called)
            stack.push_async_callback(model.aclose)
            await model.warm_up()
            analysts.append(model)
        limits = Limits(
            gather_seconds=config.limits.source,
            # The analyst ends by itself, with better words; this is for one that does not.
            analyst_seconds=analyst.deadline + ANALYST_GRACE_SECONDS,
            look_back_seconds=config.limits.look_back,
        )
        yield Stages(
            sources=config.sources,
            topology=config.topology_record(),
            analysts=analysts,
            session=surroundings.session,
            limits=limits,
            clock=surroundings.clock,
        )
