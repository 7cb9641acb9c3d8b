"""How the places of targets are asked: one bounded GET, with what the configuration gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from exporter.access import Auth, Proxy, Tls
from exporter.address import literal
from exporter.discovery import DiscoveryError
from exporter.http_terms import authorization
from exporter.target import Exchange
from exporter.transport import Request, Transport
from toolkit.secrets import SecretError


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Credentials, the way, and the limits."""

    auth: Auth | None
    tls: Tls | None
    proxy: Proxy | None = None
    timeout_seconds: float
    limit_bytes: int
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


async def answer(transport: Transport, url: str, ask: Ask) -> Exchange:
    """Get a JSON answer, of whatever status; raises DiscoveryError when none came."""
    named = literal(urlsplit(url).hostname or "")
    try:
        credentials = authorization(ask.auth)
        proxy = authorization(Auth(basic=ask.proxy.auth)) if ask.proxy and ask.proxy.auth else {}
    except SecretError as error:
        raise DiscoveryError(str(error)) from None
    exchange = await transport.exchange(
        Request(
            method="GET",
            url=url,
            headers={"Accept": "application/json", **ask.headers, **credentials},
            timeout_seconds=ask.timeout_seconds,
            limit_bytes=ask.limit_bytes,
            tls=ask.tls,
            named=frozenset() if named is None else frozenset({str(named)}),
            proxy=ask.proxy.url if ask.proxy else None,
            proxy_authorization=proxy.get("Authorization"),
        )
    )
    if exchange.failure is not None:
        raise DiscoveryError(exchange.detail or str(exchange.failure))
    return exchange
