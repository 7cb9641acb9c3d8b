"""Any HTTP endpoint: one request, a status, and checks on the body."""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
from pydantic import Field

from exporter.check import CheckField
from exporter.headers import Headers
from exporter.hostname import HostName, asked_as
from exporter.http_terms import holds_credentials, refusal, request_of, retry_after_seconds
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Reason, Target, between
from exporter.transport import Request, Transport


@probes.register("http")
class Http(Target):
    """Sends one request; right is a valid status and a body that holds the checks."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        "GET", description="the request's method"
    )
    headers: Headers = Field(
        default_factory=dict, description="sent besides our own; a value may be a secret"
    )
    ip_version: Literal[4, 6] | None = Field(None, description="only addresses of this kind")
    hostname: HostName | None = Field(
        None, description="asked for in the url's place, in the Host header and in TLS"
    )
    body: str | None = Field(None, max_length=1 << 20, description="sent as it is, in UTF-8")
    valid_status: tuple[Annotated[int, between(100, 599)], ...] = Field(
        (), description="statuses that are right; any 2xx when empty"
    )
    valid_http_versions: tuple[Literal["HTTP/1.0", "HTTP/1.1"], ...] = Field(
        (), description="versions that are right; any when empty"
    )
    compression: Literal["gzip"] | None = Field(
        None, description="asked for; an answer that is not compressed so is wrong"
    )
    encryption: Literal["required", "refused"] | None = Field(
        None, description="whether the answer must come, or must not come, over TLS"
    )
    follow_redirects: bool = Field(False, description="else a redirect is a failure")
    checks: tuple[CheckField, ...] = Field((), description="what the answer must hold")

    def questions(self) -> tuple[Question, ...]:
        """Return the one question; its request is made once, where nothing in it is read anew."""
        is_same = self.url is not None and not holds_credentials(self, self.headers)
        return (Question(checks=self.checks, request=self._request() if is_same else None),)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send the request."""
        return await transport.exchange(question.request or self._request())

    def _request(self) -> Request:
        request = request_of(
            self,
            method=self.method,
            url=self.url or "",
            headers={**self.headers, **self._encodings()},
            body=(self.body or "").encode(),
            follow_redirects=self.follow_redirects,
            ip_version=self.ip_version,
        )
        return asked_as(request, self.hostname) if self.hostname else request

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read status and body; the body is parsed where it is JSON."""
        del question
        refused = refusal(exchange, self.valid_status) or self._wrongly_carried(exchange)
        reason, detail = refused or (None, "")
        text = exchange.body.decode("utf-8", "replace")
        return Observation(
            reason=reason,
            detail=detail,
            answer=text,
            document=_document(exchange),
            status_code=exchange.status,
            duration_seconds=exchange.times.end - exchange.times.begin,
            retry_after_seconds=retry_after_seconds(exchange),
            headers=exchange.headers,
        )

    def _encodings(self) -> dict[str, str]:
        return {"Accept-Encoding": self.compression} if self.compression else {}

    def _wrongly_carried(self, exchange: Exchange) -> tuple[Reason, str] | None:
        """Say what is wrong with how the answer came, whatever it says."""
        if self.valid_http_versions:
            version = f"HTTP/{exchange.http_version}"
            if version not in self.valid_http_versions:
                return Reason.PROTOCOL, f"answered in {version}"
        if self.compression:
            encoding = exchange.headers.get("content-encoding", "").lower()
            if encoding not in {self.compression, f"x-{self.compression}"}:
                return Reason.PROTOCOL, f"not compressed with {self.compression}"
        if self.encryption == "required" and not exchange.peer.tls_version:
            return Reason.TLS, "the answer did not come over TLS"
        if self.encryption == "refused" and exchange.peer.tls_version:
            return Reason.TLS, "the answer came over TLS"
        return None


def _document(exchange: Exchange) -> object:
    """Parse a body that says it is JSON; one that is not is for the checks to find."""
    if "json" not in exchange.headers.get("content-type", ""):
        return None
    try:
        return orjson.loads(exchange.body)
    except orjson.JSONDecodeError:
        return None
