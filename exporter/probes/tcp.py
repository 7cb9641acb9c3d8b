"""Any TCP port: that it takes a connection, its TLS, and a dialogue by lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from exporter.access import url_of
from exporter.check import CheckField
from exporter.dialogue import Dialogue, Step, unmet
from exporter.http_terms import request_of
from exporter.probe import Question, probes
from exporter.target import Exchange, Observation, Reason, Target
from exporter.transport import Request, Transport

_PLAIN = {"tcp": "http", "tls": "https"}


def _tcp_url(value: str) -> str:
    """Take tcp://host:port, and http:// and https:// in the place of tcp:// and tls://."""
    scheme, colon, rest = value.partition("://")
    url_of(f"{_PLAIN.get(scheme, scheme)}{colon}{rest}")
    if urlsplit(value).port is None:
        raise ValueError("names no port; write tcp://host:port or tls://host:port")
    return value


@probes.register("tcp")
class Tcp(Target):
    """Opens a connection; right is that it opens and that the lines that are expected come."""

    scheme: ClassVar[str] = "tcp"

    url: Annotated[str, AfterValidator(_tcp_url)] | None = Field(
        None, description="tcp://host:port, or tls://host:port; not in a probe module"
    )
    ip_version: Literal[4, 6] | None = Field(None, description="only addresses of this kind")
    encrypted: bool = Field(False, description="TLS from the start, whatever the url says")
    query_response: tuple[Step, ...] = Field(
        (), max_length=100, description="what is expected and sent, in order; none: only connect"
    )
    checks: tuple[CheckField, ...] = Field((), description="what all that came must hold")

    @field_validator("query_response")
    @classmethod
    def _one_change(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if sum(step.starttls for step in steps) > 1:
            raise ValueError("starttls: given twice; TLS begins once")
        return steps

    def questions(self) -> tuple[Question, ...]:
        """Return the one question."""
        return (Question(checks=self.checks),)

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Connect and hold the dialogue."""
        del question
        url = self.url or ""
        if self.encrypted:
            url = f"tls://{url.partition('://')[2]}"
        request = request_of(self, method="", url=url, headers={})
        return await transport.exchange(
            replace(request, instead=self._hold, ip_version=self.ip_version)
        )

    async def _hold(self, request: Request, clock: Callable[[], float]) -> Exchange:
        return await Dialogue(request=request, clock=clock).hold(self.query_response)

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the lines; the expectations are held once more against all that came."""
        del question
        reason, detail = self._failure(exchange)
        return Observation(
            reason=reason,
            detail=detail,
            answer=exchange.body.decode("utf-8", "replace"),
            duration_seconds=exchange.times.end - exchange.times.begin,
        )

    def _failure(self, exchange: Exchange) -> tuple[Reason | None, str]:
        missing = unmet(self.query_response, [chunk.data for chunk in exchange.chunks])
        said_all = exchange.failure in {None, Reason.PROTOCOL} and exchange.written
        if missing is not None and said_all:
            return Reason.WRONG_ANSWER, f"no line matches {missing[:60]!r}"
        return exchange.failure, exchange.detail
