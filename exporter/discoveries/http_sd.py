"""Targets over HTTP, as Prometheus's http_sd has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import orjson
from pydantic import Field

from exporter.access import Auth, Proxy, Tls, Url
from exporter.asking import Ask, answer
from exporter.discovery import DiscoveryError, Document, Place, discoveries, groups_of
from exporter.target import Timeout, between
from exporter.transport import Transport


@discoveries.register("http_sd")
class HttpSd(Place):
    """Asks an address for its list; while it does not answer, the last list holds."""

    url: Url = Field(description="where the list is")
    auth: Auth | None = Field(None, description="credentials")
    tls: Tls | None = Field(None, description="certificate verification")
    proxy: Proxy | None = Field(None, description="the way there, where it is not direct")
    timeout: Timeout = Field(10.0, description="of one look")
    limit_bytes: Annotated[int, between(1 << 10, 1 << 26)] = Field(
        16 << 20, description="a longer list is refused"
    )

    async def documents(
        self, transport: Transport, before: Mapping[str, Document]
    ) -> Sequence[Document]:
        """Ask for the list."""
        del before
        ask = Ask(
            auth=self.auth,
            tls=self.tls,
            proxy=self.proxy,
            timeout_seconds=self.timeout,
            limit_bytes=self.limit_bytes,
            headers={"X-Prometheus-Refresh-Interval-Seconds": f"{self.refresh:g}"},
        )
        exchange = await answer(transport, self.url, ask)
        if exchange.status != 200:
            raise DiscoveryError(f"status {exchange.status}")
        if exchange.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise DiscoveryError("the content type is not application/json")
        try:
            groups = groups_of(orjson.loads(exchange.body))
        except orjson.JSONDecodeError:
            raise DiscoveryError("the list is not JSON") from None
        origin = self.url.partition("?")[0]  # what follows may hold a credential
        return [Document(origin=origin, groups=groups, labels={"__meta_url": self.url})]
