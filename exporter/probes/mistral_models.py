"""A model's card over Mistral's API: what an alias stands for today, and when the model goes.

The card is that of `GET /v1/models/{id}` (docs.mistral.ai, API, models).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from exporter import prediction
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.prediction import FaultError
from exporter.probe import Question, probes
from exporter.retirement import retirement_of
from exporter.target import Exchange, Observation, Reason, Target
from exporter.transport import Transport

_MOST_ALIASES = 100


@probes.register("mistral_models")
class MistralModels(Target):
    """Asks for a model's card; right is the card of that model. Costs no tokens."""

    model: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}$", description="the model, or an alias of it"
    )
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    checks: tuple[CheckField, ...] = Field((), description="what the card must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the one question."""
        return (Question(checks=self.checks),)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Ask for the card."""
        del question
        path = f"v1/models/{prediction.segment(self.model)}"
        return await prediction.ask(self, transport, path=path, headers=self.headers)

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the card."""
        del question
        return prediction.observe(exchange, self._read)

    def _read(self, body: bytes) -> Observation:
        card = prediction.small(prediction.finite(prediction.parsed(body)))
        names = _names(card)
        if self.model not in names:
            raise FaultError(Reason.WRONG_ANSWER, "the card is of another model")
        return Observation(
            document=card,
            served_model=names[0],
            # An alias moves without a word: its newest other name is the version behind it.
            version=max((each for each in names if each != self.model), default=names[0]),
            retirement_timestamp_seconds=retirement_of(card, "deprecation"),
        )


def _names(card: Mapping[str, Any]) -> list[str]:
    given = [prediction.member(card, "id"), card.get("name")]
    aliases = card.get("aliases")
    given += aliases[:_MOST_ALIASES] if isinstance(aliases, list) else []
    return [each for each in given if isinstance(each, str)]
