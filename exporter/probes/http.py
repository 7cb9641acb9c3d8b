"""Any HTTP endpoint: one request, a status, and checks on the body."""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
from pydantic import Field

from exporter.check import CheckField
from exporter.headers import Headers
from exporter.http_terms import refusal, request_of, retry_after_seconds
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Target, between
from exporter.transport import Transport


@probes.register("http")
class Http(Target):
    """Sends one request; right is a valid status and a body that holds the checks."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        "GET", description="the request's method"
    )
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    body: str | None = Field(None, max_length=1 << 20, description="sent as it is, in UTF-8")
    valid_status: tuple[Annotated[int, between(100, 599)], ...] = Field(
        (), description="statuses that are right; any 2xx when empty"
    )
    follow_redirects: bool = Field(False, description="else a redirect is a failure")
    checks: tuple[CheckField, ...] = Field((), description="what the answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the one question."""
        return (Question(checks=self.checks),)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the request."""
        del question
        return await transport.exchange(
            request_of(
                self,
                method=self.method,
                url=self.url or "",
                headers=self.headers,
                body=(self.body or "").encode(),
                follow_redirects=self.follow_redirects,
            )
        )

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read status and body; the body is parsed where it is JSON."""
        del question
        reason, detail = refusal(exchange, self.valid_status) or (None, "")
        text = exchange.body.decode("utf-8", "replace")
        return Observation(
            reason=reason,
            detail=detail,
            answer=text,
            document=_document(exchange),
            status_code=exchange.status,
            duration_seconds=exchange.times.end - exchange.times.begin,
            retry_after_seconds=retry_after_seconds(exchange),
        )


def _document(exchange: Exchange) -> object:
    """Parse a body that says it is JSON; one that is not is for the checks to find."""
    if "json" not in exchange.headers.get("content-type", ""):
        return None
    try:
        return orjson.loads(exchange.body)
    except orjson.JSONDecodeError:
        return None
