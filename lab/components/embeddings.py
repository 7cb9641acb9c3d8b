"""The embeddings server: OpenAI's /v1/embeddings over hashed words, always the same."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab import instruments
from lab.component import Component, Listening, Site
from lab.dials import DialBox, Dials
from lab.serving import (
    RefusedError,
    application,
    json_response,
    model_list,
    openai_error,
    read_object,
)

MODEL = "lab-embed"
DIMENSIONS = 64
WORDS_READ = 2048


class EmbeddingsDials(Dials):
    """How the embeddings server can be made to fail."""

    failing: bool = False


class EmbeddingsRequest(BaseModel):
    """The fields of an embeddings request that the lab reads; others are ignored."""

    model_config = ConfigDict(frozen=True)

    model: str
    input: str | tuple[str, ...] = Field(min_length=1, max_length=65536)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts to embed, one or many."""
        return (self.input,) if isinstance(self.input, str) else self.input


def embed(text: str) -> list[float]:
    """Return a vector of length one in which texts that share words lie close."""
    vector = [0.0] * DIMENSIONS
    words = Counter(text.lower().split()[:WORDS_READ]) or {"": 1}
    for word, count in words.items():
        digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
        for byte in digest:
            vector[byte % DIMENSIONS] += count if byte & 0x80 else -count
    # Signs can cancel out; one fixed direction keeps the length from being zero.
    vector[0] += 0.5
    length = math.sqrt(sum(value * value for value in vector))
    return [round(value / length, 6) for value in vector]


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddingsServer:
    """The routes of the embeddings server."""

    dials: DialBox[EmbeddingsDials]

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Say that the process is up."""
        return web.Response()

    async def models(self, _request: web.Request) -> web.StreamResponse:
        """List the one model."""
        return model_list(MODEL)

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Embed one text or many."""
        asked = _parse(await read_object(request))
        if self.dials.now.failing:
            raise RefusedError(500, "the model runner is not available")
        data = [
            {"object": "embedding", "index": index, "embedding": embed(text)}
            for index, text in enumerate(asked.texts)
        ]
        read = sum(len(text.split()) for text in asked.texts)
        usage = {"prompt_tokens": read, "total_tokens": read}
        return json_response({"object": "list", "data": data, "model": MODEL, "usage": usage})


def _parse(document: dict[str, Any]) -> EmbeddingsRequest:
    try:
        asked = EmbeddingsRequest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RefusedError(400, f"{place}: {first['msg']}") from None
    if asked.model != MODEL:
        raise RefusedError(404, f"The model `{asked.model[:80]}` does not exist.")
    return asked


def build(site: Site) -> Component:
    """Return the embeddings server."""
    app = application(instruments.build(site.version), openai_error)
    dials = DialBox(EmbeddingsDials())
    server = EmbeddingsServer(dials=dials)
    app.router.add_get("/health", server.health)
    app.router.add_get("/v1/models", server.models)
    app.router.add_post("/v1/embeddings", server.create)
    return Component(app=app, dials=dials, listens=(Listening(name="embeddings:8001"),))
