"""TorchServe's inference API: `/predictions/<model>`; any body goes in and any comes out."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from exporter import prediction
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.prediction import FaultError
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Reason, Target
from exporter.transport import Transport


class TorchCanary(prediction.Canary):
    """A body whose right answer is known."""

    body: prediction.Json = Field(
        description="what is sent: a text as it is, anything else as JSON"
    )
    content_type: str | None = Field(
        None, pattern=r"^[!-~ ]{1,200}$", description="text/plain for a text, else JSON's"
    )


def _check(canaries: tuple[TorchCanary, ...]) -> tuple[TorchCanary, ...]:
    prediction.check_names(canaries)
    return canaries


@probes.register("torchserve")
class TorchServe(Target):
    """Asks for a prediction; right holds the checks and the golden answer. Without canaries: ping.

    What a model refuses is its handler's own matter, so there is no malformed canary.
    """

    model: str = Field(min_length=1, max_length=200, description="the model to ask")
    version: str | None = Field(None, min_length=1, max_length=200, description="of the model")
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    canaries: Annotated[tuple[TorchCanary, ...], AfterValidator(_check)] = Field(
        (), description="asked in turn, one a run; none: only whether the server is healthy"
    )
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries."""
        return prediction.questions_of(self.canaries, self.checks, malformed=False)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the body, or ask for the server's health."""
        canary = self._canary(question)
        if canary is None:
            return await prediction.ask(self, transport, path="ping", headers=self.headers)
        version = f"/{prediction.segment(self.version)}" if self.version else ""
        plain = "text/plain; charset=utf-8" if isinstance(canary.body, str) else "application/json"
        return await prediction.ask(
            self,
            transport,
            path=f"predictions/{prediction.segment(self.model)}{version}",
            body=canary.body,
            headers={"Content-Type": canary.content_type or plain, **self.headers},
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the answer, as JSON where it is, or the health."""
        return prediction.observe(exchange, lambda body: self._read(question, body))

    def _read(self, question: Question, body: bytes) -> Observation:
        canary = self._canary(question)
        if canary is None:
            document = prediction.parsed(body).value
            if str(prediction.member(document, "status")).lower() != "healthy":
                raise FaultError(Reason.WRONG_ANSWER, "the server says that it is not healthy")
            return Observation(document=document)
        try:
            document = prediction.finite(prediction.parsed(body))
        except FaultError as error:
            if error.reason is not Reason.BAD_JSON:
                raise
            document = body.decode("utf-8", "replace")  # a handler may answer with bare text
        canary.compare(document)
        return Observation(document=document)

    def _canary(self, question: Question) -> TorchCanary | None:
        return next((each for each in self.canaries if each.name == question.canary), None)
