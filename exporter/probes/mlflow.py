"""MLflow's scoring server: `/invocations`, and a `/ping` whose body is no JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from exporter import prediction
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.prediction import MALFORMED, FaultError
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Reason, Target
from exporter.transport import Transport

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class MlflowCanary(prediction.Canary):
    """An input whose right answer is known, in one of the server's four forms."""

    dataframe_split: dict[str, prediction.Json] | None = Field(
        None, description="columns, and data in rows"
    )
    dataframe_records: tuple[dict[str, prediction.Json], ...] | None = Field(
        None, description="rows as maps"
    )
    instances: prediction.Json = Field(None, description="tensors in rows")
    inputs: prediction.Json = Field(None, description="tensors in columns")
    params: dict[str, prediction.Json] | None = Field(None, description="the model's parameters")

    @model_validator(mode="after")
    def _one(self) -> MlflowCanary:
        given = [form for form in _FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one form is needed; give one of {', '.join(_FORMS)}")
        return self

    def document(self) -> dict[str, prediction.Json]:
        """Return the request."""
        every = {name: getattr(self, name) for name in (*_FORMS, "params")}
        return {name: value for name, value in every.items() if value is not None}


def _check(canaries: tuple[MlflowCanary, ...]) -> tuple[MlflowCanary, ...]:
    prediction.check_names(canaries)
    return canaries


@probes.register("mlflow")
class Mlflow(Target):
    """Asks for predictions; right holds the checks and the golden ones. Without canaries: ping."""

    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    canaries: Annotated[tuple[MlflowCanary, ...], AfterValidator(_check)] = Field(
        (), description="asked in turn, one a run; none: only whether the server has its model"
    )
    malformed: bool = Field(
        True, description="besides the canaries, send an input that must be refused with a 4xx"
    )
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries, and the malformed one last."""
        return prediction.questions_of(self.canaries, self.checks, malformed=self.malformed)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the input, or ping."""
        canary = self._canary(question)
        if canary is None and question.canary != MALFORMED:
            return await prediction.ask(self, transport, path="ping", headers=self.headers)
        body = {MALFORMED: True} if canary is None else canary.document()
        return await prediction.ask(
            self, transport, path="invocations", body=body, headers=self.headers
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the predictions; of a ping the status alone, since its body is a line break."""
        if question.canary == MALFORMED:
            return prediction.observe_refusal(exchange)
        return prediction.observe(exchange, lambda body: self._read(question, body))

    def _read(self, question: Question, body: bytes) -> Observation:
        canary = self._canary(question)
        if canary is None:
            return Observation()
        document = prediction.finite(prediction.parsed(body))
        found = prediction.member(document, "predictions")
        if found is None or found in ([], {}):
            raise FaultError(Reason.EMPTY, "'predictions' is empty")
        canary.compare(found)
        return Observation(document=document)

    def _canary(self, question: Question) -> MlflowCanary | None:
        return next((each for each in self.canaries if each.name == question.canary), None)
