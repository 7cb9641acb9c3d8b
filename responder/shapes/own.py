"""The form of our own: `{"service": ..., "kind": ..., "title": ..., "time": ...}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from responder.shape import Announced, shape


@shape("own")
def own(body: Mapping[str, Any]) -> Sequence[Announced] | None:
    """Read a change that names its service."""
    service = body.get("service")
    if not isinstance(service, str | int) or service == "":
        return None
    return (
        Announced(
            service=service,
            kind=str(body.get("kind", "")),
            title=body.get("title"),
            at=body.get("time"),
            version=body.get("version"),
            author=body.get("author"),
            link=body.get("link"),
        ),
    )
