"""The Open Inference Protocol, whatever carries it: canaries, metadata, and what is right."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from exporter import prediction, tensor
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.prediction import MALFORMED, FaultError
from exporter.probe import Question
from exporter.target import Exchange, Observation, Reason, Target
from exporter.transport import Transport

_OWN = "valid"


class OipCanary(prediction.Canary):
    """One inference whose right answer is known."""

    inputs: tuple[tensor.Tensor, ...] = Field(min_length=1, description="the inputs to send")
    parameters: Mapping[str, prediction.Json] = Field(
        default_factory=dict, description="the request's `parameters`"
    )
    expect: Mapping[str, prediction.Json] | None = Field(
        None, description="golden data by output name; numbers may differ by `tolerance`"
    )


def _check(canaries: tuple[OipCanary, ...]) -> tuple[OipCanary, ...]:
    prediction.check_names(canaries)
    return canaries


class Inference(Target):
    """A target that speaks the protocol; the kinds send it each in its own way."""

    model: str = Field(min_length=1, max_length=200, description="the model to ask")
    version: str | None = Field(None, min_length=1, max_length=200, description="of the model")
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    canaries: Annotated[tuple[OipCanary, ...], AfterValidator(_check)] = Field(
        (), description="asked in turn, one a run; made of the model's metadata when empty"
    )
    malformed: Literal["datatype", "shape", "off"] = Field(
        "datatype", description="what is wrong in the canary that must be refused with a 4xx"
    )
    checks: tuple[CheckField, ...] = Field((), description="what every canary's answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the canaries, and the malformed one last."""
        refused = self.malformed != "off"
        if self.canaries:
            return prediction.questions_of(self.canaries, self.checks, malformed=refused)
        own = Question(canary=_OWN, checks=self.checks)
        return (own, Question(canary=MALFORMED, optional=True)) if refused else (own,)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the inference, after reading the metadata where it is needed."""
        canary = self._canary(question)
        if canary is not None:
            body: dict[str, Any] = {"inputs": [each.document() for each in canary.inputs]}
            if canary.parameters:
                body["parameters"] = dict(canary.parameters)
            return await self._infer(question, transport, body)
        metadata = await self._metadata(transport)
        try:
            inputs = [slot.filled() for slot in self._slots(metadata, "inputs")]
        except FaultError:
            return metadata  # without a nonce: `preprocess` says what is wrong with it
        return await self._infer(question, transport, {"inputs": inputs}, metadata)

    async def _infer(
        self, question: Question, transport: Transport, body: dict[str, Any], *earlier: Exchange
    ) -> Exchange:
        if question.canary == MALFORMED:
            body = {**body, "inputs": [self._spoilt(body["inputs"][0]), *body["inputs"][1:]]}
        nonce = secrets.token_hex(8)
        return await self._send(transport, {"id": nonce, **body}, nonce, earlier)

    @abstractmethod
    async def _metadata(self, transport: Transport) -> Exchange:
        """Ask for the model's metadata."""

    @abstractmethod
    async def _send(
        self,
        transport: Transport,
        body: dict[str, Any],
        nonce: str,
        earlier: tuple[Exchange, ...],
    ) -> Exchange:
        """Ask for an inference: `body` is REST's, and names the nonce as its id."""

    def _spoilt(self, given: tensor.Values) -> tensor.Values:
        """Return a tensor that no server should take."""
        if self.malformed == "datatype":
            return {**given, "datatype": "MALFORMED"}
        return {**given, "shape": [*given["shape"], 2]}

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the answer: our id, and outputs that fit their shapes, the metadata, the golden."""
        if not exchange.nonce:
            seen = prediction.observe(exchange, lambda _: self._unusable(exchange))
            return replace(seen, detail=f"metadata: {seen.detail}")
        if question.canary == MALFORMED:
            return prediction.observe_refusal(exchange)
        return prediction.observe(exchange, lambda body: self._read(question, exchange, body))

    def _unusable(self, metadata: Exchange) -> Observation:
        """Say why no request could be made of the metadata."""
        try:
            for slot in self._slots(metadata, "inputs"):
                slot.filled()
        except FaultError as error:
            text = f"{error.detail}; without canaries it must name the inputs"
            raise FaultError(error.reason, text) from None
        raise FaultError(Reason.SCHEMA, "it came in the answer's place")

    def _read(self, question: Question, exchange: Exchange, body: bytes) -> Observation:
        document = prediction.finite(prediction.parsed(body))
        found = tensor.outputs(document)
        if document.get("id") != exchange.nonce:
            raise FaultError(Reason.WRONG_ANSWER, "the answer does not have the request's id")
        for metadata in exchange.earlier:
            tensor.hold(found, self._slots(metadata, "outputs"))
        canary = self._canary(question)
        if canary is not None and canary.expect is not None:
            tensor.compare(found, canary.expect, canary.tolerance)
        named = document.get("model_name")
        version = document.get("model_version")
        return Observation(
            document=document,
            served_model=named if isinstance(named, str) else None,
            version=version if isinstance(version, str) else None,
        )

    def _slots(self, metadata: Exchange, key: str) -> tuple[tensor.Slot, ...]:
        if metadata.failure is not None or metadata.status != 200:
            raise FaultError(Reason.SCHEMA, "there is none")
        return tensor.slots(prediction.parsed(metadata.body).value, key)

    def _canary(self, question: Question) -> OipCanary | None:
        """Return the canary asked, for the malformed one the first, None to use the metadata."""
        if question.canary == MALFORMED:
            return next(iter(self.canaries), None)
        return next((each for each in self.canaries if each.name == question.canary), None)
