"""Any endpoint that speaks JSON: a body with a nonce, and what the answer must be."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jmespath
import orjson
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, Field, model_validator

from exporter import prediction
from exporter.check import CheckField
from exporter.headers import Headers
from exporter.prediction import FaultError, Tolerance
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Reason, Target, between
from exporter.transport import Transport

NONCE = "{{nonce}}"
"""Where this stands in the body, a new random text is sent in each run."""


def _compiles(expression: str) -> str:
    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        text = str(error).partition("\n")[0]
        raise ValueError(f"not JMESPath ({text}); see jmespath.org for the syntax") from error
    return expression


Path = Annotated[str, Field(max_length=500), AfterValidator(_compiles)]


@probes.register("json")
class JsonEndpoint(Target):
    """Sends JSON; right is a valid status and JSON that holds golden values and checks."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = Field(
        None, description="the request's method; POST with a body, else GET"
    )
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    body: prediction.Json = Field(
        None, description="sent as JSON, a text as it is; {{nonce}} in it is new in each run"
    )
    echo: Path | None = Field(
        None, description="JMESPath of where the answer must repeat the nonce"
    )
    expect: Mapping[Path, prediction.Json] = Field(
        default_factory=dict,
        description="golden values by JMESPath; numbers may differ by `tolerance`",
    )
    tolerance: Tolerance = Field(Tolerance(), description="how far a number may be off")
    valid_status: tuple[Annotated[int, between(100, 599)], ...] = Field(
        (), description="statuses that are right; any 2xx when empty"
    )
    checks: tuple[CheckField, ...] = Field((), description="what the answer must hold")

    @model_validator(mode="after")
    def _echoes(self) -> JsonEndpoint:
        if self.echo is not None and NONCE not in (self._text() or b"").decode():
            raise ValueError(f"echo: no nonce is sent; write {NONCE} somewhere in `body`")
        return self

    def questions(self) -> tuple[Question, ...]:
        """Return the one question."""
        return (Question(checks=self.checks),)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the body, its nonce filled in."""
        del question
        nonce = secrets.token_hex(8)
        return await prediction.ask(
            self,
            transport,
            path="",
            method=self.method or "",
            body=self._filled(nonce),
            headers=self.headers,
            nonce=nonce,
        )

    def _filled(self, nonce: str) -> bytes | None:
        text = self._text()
        return None if text is None else text.replace(NONCE.encode(), nonce.encode())

    def _text(self) -> bytes | None:
        if self.body is None:
            return None
        return self.body.encode() if isinstance(self.body, str) else orjson.dumps(self.body)

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the answer: JSON, with our nonce and the golden values."""
        del question
        return prediction.observe(
            exchange, lambda body: self._read(exchange.nonce, body), self.valid_status
        )

    def _read(self, nonce: str, body: bytes) -> Observation:
        document = prediction.finite(prediction.parsed(body))
        if self.echo is not None or self.expect:
            prediction.small(document)
        if self.echo is not None and _at(self.echo, document) != nonce:
            raise FaultError(Reason.WRONG_ANSWER, f"the nonce did not come back at {self.echo}")
        for path, golden in self.expect.items():
            where = prediction.difference(golden, _at(path, document), self.tolerance, path)
            if where is not None:
                raise FaultError(Reason.WRONG_ANSWER, f"not the golden value at {where}")
        return Observation(document=document)


def _at(path: str, document: Any) -> Any:
    """Return what stands at a path; a function given the wrong type finds nothing."""
    try:
        return jmespath.compile(path).search(document)
    except (JMESPathError, RecursionError):
        return None
