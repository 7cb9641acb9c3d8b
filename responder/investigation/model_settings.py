"""How a model is configured, and what it needs of the world around it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

import aiohttp
from pydantic import AfterValidator, Field, model_validator
from yarl import URL

from responder.ceilings import Ceilings
from responder.investigation.model_listing import Listed
from responder.investigation.sharing import Moment
from responder.past import Memory
from responder.source import Source, Topology
from responder.spend import Price, PriceTable
from toolkit.secrets import Secret
from toolkit.settings import Duration, Settings, fault

OWN_HOST = "mistral.ai"


def _server(value: str) -> str:
    trimmed = value.rstrip("/")
    if not trimmed.startswith(("http://", "https://")):
        raise fault("not a web URL", "write it like https://api.mistral.ai")
    if trimmed.endswith("/v1"):
        raise fault("ends in /v1, which the client adds", "leave /v1 out")
    return trimmed


class MistralSettings(Settings):
    """A model behind Mistral's chat API, Mistral's own or any server that speaks it."""

    model: str = Field(default="mistral-small-latest", min_length=1)
    api_key: Secret | None = None
    """The key; without it requests carry none, as local servers take them."""
    server_url: Annotated[str, AfterValidator(_server)] = "https://api.mistral.ai"
    """Where it is, without /v1."""
    deadline: Duration = 20.0
    """How long the whole analysis may take; then the embedded analyst writes."""
    fallback_model: str | None = None
    """Asked when the model itself failed for good, or took over 0.6 of the deadline."""
    turns: int = Field(default=6, ge=1, le=20)
    """Answers of the model at most; in the last of them only the report is on offer."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Calls of one model at once."""
    max_output_tokens: int = Field(default=3000, ge=100, le=32_000)
    tool_choice: Literal["any", "required", "auto"] | None = None
    """How the server calls a forced tool; without it `any` at Mistral and `required` elsewhere, and
    `auto` where the server refuses that."""
    prices: Mapping[str, Price] = {}
    """Per million tokens, by model; without one a report states its tokens alone."""
    currency: str = "USD"
    ceilings: Ceilings = Ceilings()
    """How much may be spent; beyond, the embedded analyst writes, and the report says so."""

    @model_validator(mode="after")
    def _priced(self) -> Self:
        for model in (self.model, self.fallback_model):
            if model and model not in self.prices and self.ceilings.have_price(model):
                raise fault(
                    f"a ceiling on the price of {model[:80]!r}, which is not known",
                    "add the model to `prices`, or leave the price out of `ceilings`",
                )
        return self

    @property
    def is_mistral(self) -> bool:
        """Whether the server is Mistral's own."""
        host = URL(self.server_url).host or ""
        return host == OWN_HOST or host.endswith(f".{OWN_HOST}")

    @property
    def forced(self) -> str:
        """The word by which a tool is forced."""
        return self.tool_choice or ("any" if self.is_mistral else "required")

    @property
    def price_table(self) -> PriceTable:
        """The prices."""
        return PriceTable(prices=self.prices, currency=self.currency)


@dataclass(frozen=True, kw_only=True, slots=True)
class Clockwork:
    """Time and chance, given so that tests need neither."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a model's tools look at; `clock` gives seconds since the epoch."""

    sources: tuple[Source, ...]
    topology: Topology
    session: aiohttp.ClientSession
    clock: Callable[[], float]
    look_back_seconds: float = 6 * 3600.0
    moment: Moment = field(default_factory=Moment)
    memory: Memory | None = None


def _ignored(*_words: object) -> None:
    """Hear nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observers:
    """Who is told: of each call of a model, of each call of a tool, and what a server says of one.

    The last is told the model beside it.
    """

    called: Callable[[str, str], None] = _ignored
    looked: Callable[[str, str], None] = _ignored
    listed: Callable[[str, Listed], None] = _ignored
