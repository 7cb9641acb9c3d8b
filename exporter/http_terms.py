"""What the kinds over HTTP share: building a request, and reading a status."""

from __future__ import annotations

import base64
import email.utils
import time
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from exporter.access import Auth, Basic
from exporter.address import literal
from exporter.headers import confidential, revealed
from exporter.target import Exchange, Reason, Target
from exporter.transport import Request
from toolkit.secrets import Secret

_AUTHORIZATION = frozenset({"authorization"})
_KEPT = 16_384


def request_of(  # noqa: PLR0913 - each is a field of Request
    target: Target,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str | Secret],
    body: bytes = b"",
    stall_seconds: float | None = None,
    follow_redirects: bool = False,
    heard: Callable[[bytes], bool] | None = None,
    spoke: Callable[[], bool] | None = None,
    ip_version: Literal[4, 6] | None = None,
) -> Request:
    """Build a target's request, credentials and limits included.

    Raises SecretError when a credential cannot be read.
    """
    return Request(
        method=method,
        url=url,
        headers={**revealed(headers), **authorization(target.auth)},
        private=_private(headers),
        body=body,
        timeout_seconds=target.timeout_seconds,
        stall_seconds=stall_seconds,
        limit_bytes=target.response_limit_bytes,
        tls=target.tls,
        follow_redirects=follow_redirects,
        named=_named(target.url or "", target.allow_targets),
        heard=heard,
        spoke=spoke,
        ip_version=ip_version,
        keep=target.keep,
        proxy=target.proxy.url if target.proxy else None,
        proxy_authorization=_proxy_authorization(target),
    )


def holds_credentials(target: Target, headers: Mapping[str, str | Secret]) -> bool:
    """Say whether a target's request has what must be read anew each time."""
    proxied = target.proxy is not None and target.proxy.auth is not None
    read = any(isinstance(value, Secret) for value in headers.values())
    return read or proxied or target.auth is not None


def _private(headers: Mapping[str, str | Secret]) -> frozenset[str]:
    if not headers:
        return _AUTHORIZATION
    return _AUTHORIZATION.union(name.lower() for name in confidential(headers))


@lru_cache(maxsize=_KEPT)
def _named(url: str, allow_targets: tuple[str, ...]) -> frozenset[str]:
    """Return the addresses that a target names; its own only where no others are allowed."""
    own = None if allow_targets else literal(urlsplit(url).hostname or "")
    return named_addresses(allow_targets) | ({str(own)} if own is not None else frozenset())


def named_addresses(patterns: Collection[str]) -> frozenset[str]:
    """Return the addresses among `allow_targets` that are written out, port left out."""
    hosts = (urlsplit(f"//{pattern}").hostname or "" for pattern in patterns if "*" not in pattern)
    found = (literal(host) for host in hosts)
    return frozenset(str(address) for address in found if address is not None)


def authorization(auth: Auth | None) -> dict[str, str]:
    """Return the Authorization header of some credentials, read anew."""
    if auth is None:
        return {}
    if auth.bearer is not None:
        return {"Authorization": f"Bearer {auth.bearer.reveal()}"}
    if auth.basic is None:
        return {}
    return {"Authorization": _basic(auth.basic)}


def _proxy_authorization(target: Target) -> str | None:
    auth = target.proxy.auth if target.proxy else None
    return None if auth is None else _basic(auth)


def _basic(basic: Basic) -> str:
    pair = f"{basic.username}:{basic.password.reveal()}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def refusal(exchange: Exchange, valid_status: Collection[int] = ()) -> tuple[Reason, str] | None:
    """Say why an exchange is no answer to read: the transport's failure or the status.

    Without `valid_status` any 2xx is valid. Returns None for an answer.
    """
    if exchange.failure is not None:
        return exchange.failure, exchange.detail
    status = exchange.status or 0
    if status in valid_status if valid_status else 200 <= status < 300:
        return None
    return _reason_of(status), f"status {status}"


def _reason_of(status: int) -> Reason:
    by_status = {401: Reason.AUTH, 403: Reason.AUTH, 429: Reason.RATE_LIMITED}
    by_class = {3: Reason.REDIRECT, 4: Reason.HTTP_4XX, 5: Reason.HTTP_5XX}
    return by_status.get(status, by_class.get(status // 100, Reason.PROTOCOL))


def retry_after_seconds(exchange: Exchange, now: Callable[[], float] = time.time) -> float | None:
    """Read Retry-After of a 429 or 503: seconds or a date (RFC 9110, section 10.2.3)."""
    text = exchange.headers.get("retry-after", "")
    if exchange.status not in {429, 503} or not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now())
    except (ValueError, TypeError, OverflowError):
        return None
