"""Targets over HTTP, as Prometheus's http_sd has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import Field

from exporter.access import Auth, Tls, Url
from exporter.discovery import DiscoveryError, Place, discoveries
from exporter.http_terms import authorization
from exporter.transport import Request, Transport
from toolkit.secrets import SecretError

_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 16 << 20


@discoveries.register("http_sd")
class HttpSd(Place):
    """Asks an address for its list; while it does not answer, the last list holds."""

    url: Url = Field(description="where the list is")
    auth: Auth | None = Field(None, description="credentials")
    tls: Tls | None = Field(None, description="certificate verification")

    async def documents(self, transport: Transport) -> Sequence[Any]:
        """Ask for the list."""
        try:
            credentials = authorization(self.auth)
        except SecretError as error:
            raise DiscoveryError(str(error)) from None
        exchange = await transport.exchange(
            Request(
                method="GET",
                url=self.url,
                headers={
                    "Accept": "application/json",
                    "X-Prometheus-Refresh-Interval-Seconds": f"{self.refresh:g}",
                    **credentials,
                },
                timeout_seconds=_TIMEOUT_SECONDS,
                limit_bytes=_MOST_BYTES,
                tls=self.tls,
            )
        )
        if exchange.failure is not None or exchange.status != 200:
            raise DiscoveryError(exchange.detail or f"status {exchange.status}")
        try:
            return [orjson.loads(exchange.body)]
        except orjson.JSONDecodeError:
            raise DiscoveryError("the list is not JSON") from None
