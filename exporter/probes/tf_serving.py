"""TensorFlow Serving's REST API, whose JSON may hold bare NaN and Infinity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from exporter import prediction
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.prediction import MALFORMED, Document, FaultError
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Reason, Target
from exporter.transport import Transport


class TfCanary(prediction.Canary):
    """A prediction whose right answer is known; in rows or in columns."""

    instances: tuple[prediction.Json, ...] | None = Field(
        None, min_length=1, description="the input in rows; answered by `predictions`"
    )
    inputs: prediction.Json = Field(
        None, description="the input in columns; answered by `outputs`; not beside `instances`"
    )
    signature: str | None = Field(None, max_length=200, description="the signature to serve")

    @model_validator(mode="after")
    def _one(self) -> TfCanary:
        if (self.instances is None) == (self.inputs is None):
            raise ValueError("exactly one form is needed; give `instances` or `inputs`")
        return self

    def document(self) -> dict[str, Any]:
        """Return the request."""
        named = {"signature_name": self.signature} if self.signature else {}
        if self.instances is None:
            return {**named, "inputs": self.inputs}
        return {**named, "instances": self.instances}

    def answer(self, document: Any) -> Any:
        """Return the part of an answer that is the prediction; raises FaultError."""
        if self.instances is None:
            return prediction.member(document, "outputs")
        return prediction.rows(document, "predictions", len(self.instances))


def _check(canaries: tuple[TfCanary, ...]) -> tuple[TfCanary, ...]:
    prediction.check_names(canaries)
    return canaries


@probes.register("tf_serving")
class TfServing(Target):
    """Asks for predictions; right is one for each instance.

    Without canaries it asks whether a version of the model is available.
    """

    model: str = Field(min_length=1, max_length=200, description="the model to ask")
    version: str | None = Field(
        None, pattern=r"^[0-9]{1,18}$", description="of the model; not beside `version_label`"
    )
    version_label: str | None = Field(
        None, min_length=1, max_length=200, description="of the version, as the server names it"
    )
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    canaries: Annotated[tuple[TfCanary, ...], AfterValidator(_check)] = Field(
        (), description="asked in turn, one a run; none: only whether the model is available"
    )
    malformed: bool = Field(
        True, description="besides the canaries, send instances that must be refused with a 4xx"
    )
    allow_nonfinite: bool = Field(
        False, description="else NaN and Infinity in a prediction are a wrong answer"
    )
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    @model_validator(mode="after")
    def _one_version(self) -> TfServing:
        if self.version is not None and self.version_label is not None:
            raise ValueError("two versions are named; give `version` or `version_label`")
        return self

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries, and the malformed one last."""
        return prediction.questions_of(self.canaries, self.checks, malformed=self.malformed)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the input, or ask for the versions' states."""
        path, canary = self._path, self._canary(question)
        if canary is None and question.canary != MALFORMED:
            return await prediction.ask(self, transport, path=path, headers=self.headers)
        body = {"instances": MALFORMED} if canary is None else canary.document()
        return await prediction.ask(
            self, transport, path=f"{path}:predict", body=body, headers=self.headers
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the predictions, or the versions' states."""
        if question.canary == MALFORMED:
            return prediction.observe_refusal(exchange)
        return prediction.observe(exchange, lambda body: self._read(question, body))

    def _read(self, question: Question, body: bytes) -> Observation:
        parsed = prediction.parsed(body)
        canary = self._canary(question)
        document = self._allowed(parsed)
        if canary is None:
            _available(prediction.rows(document, "model_version_status"))
        else:
            canary.compare(canary.answer(document))
        return Observation(document=document, nonfinite_values=parsed.nonfinite_values)

    def _allowed(self, parsed: Document) -> Any:
        return parsed.value if self.allow_nonfinite else prediction.finite(parsed)

    @property
    def _path(self) -> str:
        path = f"v1/models/{prediction.segment(self.model)}"
        if self.version is not None:
            return f"{path}/versions/{self.version}"
        label = self.version_label
        return path if label is None else f"{path}/labels/{prediction.segment(label)}"

    def _canary(self, question: Question) -> TfCanary | None:
        return next((each for each in self.canaries if each.name == question.canary), None)


def _available(versions: list[Any]) -> None:
    """Want one version that serves; old ones that end are no fault."""
    states = [each.get("state") for each in versions if isinstance(each, Mapping)]
    if "AVAILABLE" not in states:
        raise FaultError(Reason.WRONG_ANSWER, "no version of the model is available")
