"""The Open Inference Protocol over gRPC; needs the extra `grpc`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from pydantic import Field, model_validator

from exporter import oip_messages as messages
from exporter import prediction
from exporter.grpc_call import MISSING, is_installed, unary
from exporter.http_terms import request_of
from exporter.inference import Inference
from exporter.prediction import MALFORMED, READY, FaultError
from exporter.probe import Question, probes
from exporter.protobuf import WireError
from exporter.target import Chunk, Exchange, Observation, Reason
from exporter.transport import Transport

_READERS: Final[dict[str, Callable[[bytes], messages.Document]]] = {
    "ServerReady": messages.ready,
    "ModelReady": messages.ready,
    "ModelMetadata": messages.metadata,
    "ModelInfer": messages.infer_response,
}


@probes.register("oip_grpc")
class OipGrpc(Inference):
    """Asks for an inference as `oip` does, over gRPC: http://host:port, or https:// for TLS.

    Statuses are told as HTTP has them, and the certificate's end is not known. Of a malformed
    request INTERNAL and UNKNOWN are refusals too: Python's servers say so of any exception.
    """

    infer: bool = Field(True, description="false: ask only whether server and model are ready")

    @model_validator(mode="after")
    def _possible(self) -> OipGrpc:
        if not is_installed():
            raise ValueError(MISSING)
        if self.proxy is not None or self.keep:
            name = "keep" if self.keep else "proxy"
            raise ValueError(f"`{name}` is not for this kind; remove it")
        if urlsplit(self.url or "").path.strip("/"):
            raise ValueError("url: has a path; write http://host:port alone")
        for canary in self.canaries:
            inputs = [each.document() for each in canary.inputs]
            self._message({"inputs": inputs, "parameters": canary.parameters})
        return self

    def questions(self) -> tuple[Question, ...]:
        """Return what `oip` asks, or the one question whether all is ready."""
        return super().questions() if self.infer else (Question(canary=READY, checks=self.checks),)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the inference, or ask the server and then the model whether they are ready."""
        if self.infer:
            return await super().collect(question, transport)
        server = await self._call(transport, "ServerReady", b"")
        if server.status != 200 or prediction.parsed(server.body).value != {"ready": True}:
            return server
        message = messages.model_request(self.model, self.version or "")
        return await self._call(transport, "ModelReady", message, earlier=(server,))

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the answer as `oip` does, or the readiness; a refusal is in gRPC's own words."""
        if self.infer:
            seen = super().preprocess(question, exchange)
        else:
            seen = prediction.observe(exchange, lambda body: self._ready(exchange, body))
        if seen.reason is None or exchange.failure is not None:
            return seen
        if question.canary == MALFORMED and exchange.status == 500:
            return replace(seen, reason=None, detail="")
        if not exchange.detail:
            return seen
        return replace(seen, detail=exchange.detail)

    def _ready(self, exchange: Exchange, body: bytes) -> Observation:
        document = prediction.parsed(body).value
        if prediction.member(document, "ready") is not True:
            who = "model" if exchange.earlier else "server"
            raise FaultError(Reason.WRONG_ANSWER, f"the {who} is not ready")
        return Observation(document=document)

    async def _metadata(self, transport: Transport) -> Exchange:
        message = messages.model_request(self.model, self.version or "")
        return await self._call(transport, "ModelMetadata", message)

    async def _send(
        self,
        transport: Transport,
        body: dict[str, Any],
        nonce: str,
        earlier: tuple[Exchange, ...],
    ) -> Exchange:
        return await self._call(
            transport, "ModelInfer", self._message(body), nonce=nonce, earlier=earlier
        )

    def _message(self, body: dict[str, Any]) -> bytes:
        return messages.infer_request(self.model, self.version or "", body)

    async def _call(
        self,
        transport: Transport,
        name: str,
        message: bytes,
        *,
        nonce: str = "",
        earlier: tuple[Exchange, ...] = (),
    ) -> Exchange:
        parts = urlsplit(self.url or "")
        request = request_of(
            self,
            method="POST",
            url=f"{parts.scheme}://{parts.netloc}/{messages.SERVICE}/{name}",
            headers=self.headers,
            body=message,
        )
        left = prediction.seconds_left(request.timeout_seconds, earlier)
        exchange = await transport.exchange(replace(request, timeout_seconds=left, instead=unary))
        return replace(transcoded(exchange, name), nonce=nonce, earlier=earlier)


def transcoded(exchange: Exchange, call: str) -> Exchange:
    """Return an exchange whose body is what REST would have said; of a refusal, its words."""
    if exchange.failure is not None:
        return exchange
    if exchange.status != 200:
        return _told(exchange, {"error": exchange.detail})
    try:
        return _told(exchange, _READERS[call](exchange.body))
    except WireError as error:
        text = f"the answer is no {call}Response ({error})"
        return replace(exchange, failure=Reason.PROTOCOL, detail=text, complete=False)


def _told(exchange: Exchange, document: messages.Document) -> Exchange:
    at = exchange.chunks[-1].at if exchange.chunks else exchange.times.end
    return replace(exchange, chunks=(Chunk(at=at, data=_json(document)),))


def _json(document: messages.Document) -> bytes:
    """Write a document, NaN as NaN, so that it is counted; orjson writes null in its place."""
    data = orjson.dumps(document)
    return json.dumps(document).encode() if b"null" in data else data
