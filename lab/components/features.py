"""The feature service: numbers about an entity, the same for the same entity."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import Field

from lab import instruments
from lab.component import Component, Listening, Site
from lab.dials import DialBox, Dials
from lab.serving import RefusedError, application, json_response, plain_error

COLUMNS = {
    "account_age_days": 3650.0,
    "transactions_24h": 40.0,
    "chargeback_ratio": 0.2,
    "country_risk": 1.0,
}
LOOKUP_SECONDS = 0.004
WHOLE_EVERY = 10


class FeaturesDials(Dials):
    """How the feature service can be made to fail."""

    delay_seconds: float = Field(default=0.0, ge=0, le=60)
    missing_column: str | None = None


def features_of(entity: str) -> dict[str, float]:
    """Return the columns of one entity, drawn from the hash of its name."""
    digest = hashlib.blake2b(entity.encode("utf-8", "replace"), digest_size=16).digest()
    shares = (int.from_bytes(digest[i * 4 : i * 4 + 4]) / 2**32 for i in range(len(COLUMNS)))
    return {
        column: round(share * top, 4)
        for (column, top), share in zip(COLUMNS.items(), shares, strict=True)
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureService:
    """The routes of the feature service."""

    dials: DialBox[FeaturesDials]
    _answers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Say that the process is up."""
        return json_response({"status": "ok"})

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Answer with the columns of the entity in the path."""
        entity = request.match_info["entity"]
        if len(entity) > 64 or not entity.isprintable():
            raise RefusedError(400, "the entity's name is longer than 64 or not printable")
        dials = self.dials.now
        await asyncio.sleep(LOOKUP_SECONDS + dials.delay_seconds)
        columns = features_of(entity)
        # A broken version still has whole rows for some, from before it was rolled out.
        if dials.missing_column is not None and next(self._answers) % WHOLE_EVERY:
            columns.pop(dials.missing_column, None)
        return json_response({"id": entity, "features": columns})


def build(site: Site) -> Component:
    """Return the feature service."""
    app = application(instruments.build(site.version), plain_error)
    dials = DialBox(FeaturesDials())
    service = FeatureService(dials=dials)
    app.router.add_get("/health", service.health)
    app.router.add_get("/features/{entity}", service.read)
    return Component(app=app, dials=dials, listens=(Listening(name="features:8003"),))
