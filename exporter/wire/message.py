"""A request's bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from exporter.target import Reason
from exporter.wire.failure import FailedError
from toolkit.arguments import version

_AGENT = f"vigie-exporter/{version()}"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_KEPT = 16_384  # heads are some hundred bytes; more targets than that write theirs anew


def message(  # noqa: PLR0913 - each is a part of the message
    method: str,
    target: str,
    authority: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    keep: bool,
) -> bytes:
    """Write a request (RFC 9112); raises FailedError when a header's value would end its line."""
    length = len(body) if body or method in _WITH_BODY else None
    head = _head(method, target, authority, tuple(headers.items()), length, keep)
    return head + body if body else head


@lru_cache(maxsize=_KEPT)
def _head(  # noqa: PLR0913, PLR0917 - each is a part of the head
    method: str,
    target: str,
    authority: str,
    headers: tuple[tuple[str, str], ...],
    length: int | None,
    keep: bool,  # noqa: FBT001 - a cache tells keywords apart
) -> bytes:
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {authority}")
    if "user-agent" not in names:
        lines.append(f"User-Agent: {_AGENT}")
    if "accept" not in names:
        lines.append("Accept: */*")
    if "accept-encoding" not in names:
        lines.append("Accept-Encoding: identity")
    lines += [f"{name}: {value}" for name, value in headers]
    if length and "content-type" not in names:
        lines.append("Content-Type: application/octet-stream")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if not keep:
        lines.append("Connection: close")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise FailedError(Reason.INTERNAL, "a header's value has a line break or NUL; remove it")
    return head.encode() + b"\r\n\r\n"
