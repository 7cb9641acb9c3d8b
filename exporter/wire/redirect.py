"""Where a redirect leads, and what of the request goes along."""

from __future__ import annotations

from collections.abc import Mapping

from yarl import URL

from exporter.target import Reason
from exporter.wire.failure import FailedError

MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})


def destination(url: str, location: str) -> tuple[str, bool]:
    """Return the address and whether its origin is another; raises FailedError (redirect)."""
    before = URL(url)
    try:
        after = before.join(URL(location))
        other = after.scheme in {"http", "https"} and after.origin() != before.origin()
    except ValueError:
        raise FailedError(Reason.REDIRECT, "the redirect goes to no address") from None
    if after.scheme not in {"http", "https"} or not after.host:
        raise FailedError(Reason.REDIRECT, "the redirect goes to another scheme")
    if before.scheme == "https" and after.scheme == "http":
        raise FailedError(Reason.REDIRECT, "the redirect leaves https")
    return str(after), other


def without(headers: Mapping[str, str], private: frozenset[str]) -> dict[str, str]:
    """Return the headers that another origin may see."""
    return {name: value for name, value in headers.items() if name.lower() not in private}


def keeps_method(status: int, method: str) -> bool:
    """Say whether method and body go along (RFC 9110, section 15.4)."""
    return status in {307, 308} or method in {"GET", "HEAD"}
