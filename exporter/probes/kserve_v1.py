"""KServe's V1 protocol: `/v1/models/<model>:predict`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from exporter import prediction
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.prediction import MALFORMED, FaultError
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Reason, Target
from exporter.transport import Transport


class KServeCanary(prediction.Canary):
    """Instances whose right predictions are known."""

    instances: tuple[prediction.Json, ...] = Field(min_length=1, description="what is predicted")
    expect: tuple[prediction.Json, ...] | None = Field(
        None, description="golden predictions; numbers may differ by `tolerance`"
    )


def _check(canaries: tuple[KServeCanary, ...]) -> tuple[KServeCanary, ...]:
    prediction.check_names(canaries)
    return canaries


@probes.register("kserve_v1")
class KServeV1(Target):
    """Asks for predictions; right is one for each instance.

    Without canaries it asks whether the model is ready.
    """

    model: str = Field(min_length=1, max_length=200, description="the model to ask")
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    canaries: Annotated[tuple[KServeCanary, ...], AfterValidator(_check)] = Field(
        (), description="asked in turn, one a run; none: only whether the model is ready"
    )
    malformed: bool = Field(
        True, description="besides the canaries, send instances that must be refused with a 4xx"
    )
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries, and the malformed one last."""
        return prediction.questions_of(self.canaries, self.checks, malformed=self.malformed)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the instances, or ask for the model's state."""
        path = f"v1/models/{prediction.segment(self.model)}"
        canary = self._canary(question)
        if canary is None and question.canary != MALFORMED:
            return await prediction.ask(self, transport, path=path, headers=self.headers)
        body = {"instances": MALFORMED if canary is None else canary.instances}
        return await prediction.ask(
            self, transport, path=f"{path}:predict", body=body, headers=self.headers
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the predictions, or the state."""
        if question.canary == MALFORMED:
            return prediction.observe_refusal(exchange)
        return prediction.observe(exchange, lambda body: self._read(question, body))

    def _read(self, question: Question, body: bytes) -> Observation:
        document = prediction.finite(prediction.parsed(body))
        canary = self._canary(question)
        if canary is not None:
            canary.compare(prediction.rows(document, "predictions", len(canary.instances)))
        # The specification writes the state as a truth value, older servers as text.
        elif str(prediction.member(document, "ready")).lower() != "true":
            raise FaultError(Reason.WRONG_ANSWER, "the model is not ready")
        return Observation(document=document)

    def _canary(self, question: Question) -> KServeCanary | None:
        return next((each for each in self.canaries if each.name == question.canary), None)
