"""The list of models over OpenAI's API: whether the one that users ask for is served."""

from __future__ import annotations

from pydantic import Field

from exporter import dialect as dialects
from exporter import prediction
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.prediction import FaultError
from exporter.probe import Question, probes
from exporter.retirement import retirement_of
from exporter.target import Exchange, Observation, Reason, Target
from exporter.transport import Transport


@probes.register("openai_models")
class OpenAIModels(Target):
    """Asks for the models; right is a list that holds the one asked for. Costs no tokens."""

    model: str | None = Field(
        None, min_length=1, max_length=200, description="the model that must be there"
    )
    dialect: dialects.Name = Field("auto", description="where the server has the API")
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    checks: tuple[CheckField, ...] = Field((), description="what the list must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the one question."""
        return (Question(checks=self.checks),)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Ask for the list."""
        del question
        path = dialects.path(self.dialect, "models")
        return await prediction.ask(self, transport, path=path, headers=self.headers)

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Look for the model."""
        del question
        return prediction.observe(exchange, self._read)

    def _read(self, body: bytes) -> Observation:
        document = prediction.small(prediction.finite(prediction.parsed(body)))
        cards = prediction.rows(document, "data")
        ours = [each for each in cards if prediction.member(each, "id") == self.model]
        if self.model is not None and not ours:
            text = f"the model is not among the {len(cards)} that are served"
            raise FaultError(Reason.WRONG_ANSWER, text)
        return Observation(
            document=document,
            served_model=self.model,
            retirement_timestamp_seconds=retirement_of(ours[0], "shutdown_date") if ours else None,
        )
