"""Embeddings over OpenAI's API: a vector of the right length, finite, and where it was before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from exporter import dialect as dialects
from exporter import prediction
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.prediction import FaultError
from exporter.probe import KOfN, Question, Required, probes
from exporter.target import Exchange, Name, Observation, Reason, Target, between
from exporter.transport import Transport
from toolkit.settings import Settings

_MOST_DIMENSIONS = 1 << 16


class TextCanary(Settings):
    """One text; its `cosine` check holds the golden vector."""

    name: Name = Field(description="the label `canary`")
    text: str = Field(min_length=1, max_length=20_000, description="what is embedded")
    checks: tuple[CheckField, ...] = Field((), description="e.g. cosine, with the golden vector")
    required: KOfN = Field(Required(), description="k of n: right answers among the last runs")
    optional: bool = Field(False, description="under its k of n it only degrades the target")


def _check(canaries: tuple[TextCanary, ...]) -> tuple[TextCanary, ...]:
    if not canaries:
        raise ValueError("no canary; add one, or leave the setting out for the default")
    prediction.check_names(canaries)
    return canaries


@probes.register("openai_embeddings")
class OpenAIEmbeddings(Target):
    """Asks for an embedding; right is one finite vector, not all zeros, that holds the checks."""

    model: str = Field(min_length=1, max_length=200, description="the model to ask for")
    dialect: dialects.Name = Field("auto", description="where the server has the API")
    dimensions: Annotated[int, between(1, _MOST_DIMENSIONS)] | None = Field(
        None, description="how long the vector must be"
    )
    unit_norm: bool = Field(False, description="whether the vector's length must be 1, within 1 %")
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    canaries: Annotated[tuple[TextCanary, ...], AfterValidator(_check)] = Field(
        (TextCanary(name="alive", text="ready"),), description="asked in turn, one a run"
    )
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries."""
        return tuple(
            Question(
                canary=canary.name,
                text=canary.text,
                checks=canary.checks + self.checks,
                required=canary.required,
                optional=canary.optional,
                cost_tokens=len(canary.text) // 4 + 1,
            )
            for canary in self.canaries
        )

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the text."""
        return await prediction.ask(
            self,
            transport,
            path=dialects.path(self.dialect, "embeddings"),
            body={"model": self.model, "input": [question.text], "encoding_format": "float"},
            headers=self.headers,
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the vector."""
        del question
        return prediction.observe(exchange, self._read)

    def _read(self, body: bytes) -> Observation:
        document = prediction.finite(prediction.parsed(body))
        (first,) = prediction.rows(document, "data", 1)
        vector = _vector(prediction.member(first, "embedding"))
        if self.dimensions is not None and len(vector) != self.dimensions:
            text = f"the vector has {len(vector)} dimensions, not {self.dimensions}"
            raise FaultError(Reason.SCHEMA, text)
        self._measure(vector)
        model = document.get("model")
        return Observation(
            vector=vector,
            answer=f"a vector of {len(vector)} dimensions",
            served_model=model if isinstance(model, str) else None,
            prompt_tokens=_tokens(document),
            output_tokens=0,
        )

    def _measure(self, vector: tuple[float, ...]) -> None:
        norm = math.hypot(*vector)
        if norm == 0 or not math.isfinite(norm):
            raise FaultError(Reason.WRONG_ANSWER, "the vector is all zeros, or too long to measure")
        if self.unit_norm and abs(norm - 1) > 0.01:
            raise FaultError(Reason.WRONG_ANSWER, f"the vector's length is {norm:.3g}, not 1")


def _vector(found: Any) -> tuple[float, ...]:
    if not isinstance(found, list) or not found:
        raise FaultError(Reason.SCHEMA, "the embedding is no list of numbers")
    if len(found) > _MOST_DIMENSIONS:
        raise FaultError(Reason.SCHEMA, f"the vector has over {_MOST_DIMENSIONS} dimensions")
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in found):
        raise FaultError(Reason.SCHEMA, "the embedding is no list of numbers")
    try:
        return tuple(map(float, found))
    except OverflowError:
        raise FaultError(Reason.WRONG_ANSWER, "a number of the vector is too large") from None


def _tokens(document: Mapping[str, Any]) -> int | None:
    usage = document.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    is_count = isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens < 1 << 31
    return tokens if is_count else None
