"""Opens the investigation that a configuration describes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from responder.assembly import Surroundings
from responder.config import ANALYST_GRACE_SECONDS, Config
from responder.investigation.analyst import Analyst
from responder.investigation.mistral import (
    Means,
    MistralAnalyst,
    MistralSettings,
    Observers,
)
from responder.investigation.stages import Limits, Stages
from responder.journal import StoredJournal
from responder.store.memory import remembering
from toolkit.lifecycle import Supervisor


@asynccontextmanager
async def investigator(config: Config, surroundings: Surroundings) -> AsyncIterator[Stages]:
    """Build the stages with their sources and analyst; the analyst's client closes at the end."""
    async with AsyncExitStack() as stack:
        analysts: list[Analyst] = []
        analyst = config.analyst
        if isinstance(analyst, MistralSettings):
            model = _model(analyst, config, surroundings)
            stack.push_async_callback(model.aclose)
            await model.warm_up()
            tasks = await stack.enter_async_context(Supervisor())
            tasks.spawn("model check", model.check_models, restart=False)
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
            memory=remembering(surroundings.store) if surroundings.store else None,
        )


def _model(settings: MistralSettings, config: Config, surroundings: Surroundings) -> MistralAnalyst:
    """Give the model its tools, its journal, and those who are told of its calls."""
    metrics, store = surroundings.metrics, surroundings.store
    observers = Observers(called=surroundings.model_called)
    if metrics is not None:
        observers = replace(observers, looked=metrics.tool_called, listed=metrics.model_told)
    return MistralAnalyst(
        settings,
        observers=observers,
        ledger=surroundings.ledger,
        means=Means(
            sources=config.sources,
            topology=config.topology_record(),
            session=surroundings.session,
            clock=surroundings.clock,
            look_back_seconds=config.limits.look_back,
            memory=None if store is None else remembering(store),
        ),
        journal=None if store is None else StoredJournal(store, surroundings.clock),
    )
