"""All witnesses asked at once, and what they said taken together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import structlog

from responder.absence import Listed
from responder.routes import Route
from responder.sources.alertmanager import AlertmanagerSource
from responder.sources.prometheus import PrometheusSource
from responder.witness import Active, Fired, SilentError, ask_alertmanager, ask_prometheus

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What the witnesses said; complete only when each of them answered in full."""

    actives: Sequence[Active]
    fired: Sequence[Fired]
    is_complete: bool

    @property
    def is_whole(self) -> bool:
        """Tell whether all has been heard: else nothing can be concluded from what is absent."""
        answers: list[Active | Fired] = [*self.actives, *self.fired]
        return self.is_complete and not any(each.is_partial for each in answers)

    @property
    def listed(self) -> Mapping[str, Listed]:
        """Give the union of the lists; where one would send it, it is not held."""
        found: dict[str, Listed] = {}
        for active in self.actives:
            for key, each in active.listed.items():
                if key not in found or found[key].is_held:
                    found[key] = each
        return found

    @property
    def trees(self) -> Sequence[Route | None]:
        """Give the routes of each Alertmanager."""
        return [each.tree for each in self.actives]


async def ask_all(
    alertmanagers: Sequence[AlertmanagerSource],
    prometheis: Sequence[PrometheusSource],
    session: aiohttp.ClientSession,
    start: float,
    end: float,
) -> Heard:
    """Ask all at once; raises SilentError when no Alertmanager answers."""
    asked = [ask_alertmanager(each, session, end) for each in alertmanagers]
    fired = [ask_prometheus(each, session, start, end) for each in prometheis]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    spoken = await asyncio.gather(*fired, return_exceptions=True)
    silent = [each for each in (*answers, *spoken) if isinstance(each, BaseException)]
    for error in silent:
        if not isinstance(error, SilentError):
            raise error
        log.warning("witness silent", problem=str(error))
    heard = Heard(
        actives=[each for each in answers if isinstance(each, Active)],
        fired=[each for each in spoken if isinstance(each, Fired)],
        is_complete=not silent,
    )
    if not heard.actives:
        raise SilentError("no Alertmanager answers")
    return heard
