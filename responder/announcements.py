"""Reads what is posted to the change webhook, in whichever form it comes, into changes."""

from __future__ import annotations

import hashlib
from dataclasses import astuple

import responder.shapes  # noqa: F401 - they register themselves
from responder.alert import Change
from responder.shape import Announced, shapes
from responder.webhook_v4 import (
    LONGEST_NAME,
    LONGEST_VALUE,
    UnreadableError,
    document_of,
    moment_of,
    plausible,
    text_of,
)

_KINDS = ("deployment", "flag", "config", "other")


def read_changes(body: bytes, received_at: float) -> tuple[Change, ...]:
    """Read a post; none where it tells of no change, and a kind that is unknown becomes `other`.

    What is told again has the same id where it carries a time. Raises UnreadableError for a body
    of no known form, or without a service.
    """
    document = document_of(body)
    for name in sorted(shapes):
        found = shapes[name](document)
        if found is not None:
            return tuple(_change(name, each, received_at) for each in found)
    known = ", ".join(sorted(shapes))
    raise UnreadableError(f"no service, and of no known form ({known})")


def _change(shape: str, announced: Announced, received_at: float) -> Change:
    service = text_of(announced.service, LONGEST_NAME)
    if not service:
        raise UnreadableError(f"no service in a body of {shape}")
    at = moment_of(announced.at)
    told = repr((shape, astuple(announced), received_at if at is None else None))
    return Change(
        id=hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16],
        at=plausible(at, received_at),
        service=service,
        kind=announced.kind if announced.kind in _KINDS else "other",
        title=text_of(announced.title, LONGEST_VALUE) or "(no title)",
        version=text_of(announced.version, LONGEST_NAME),
        author=text_of(announced.author, LONGEST_NAME),
        link=text_of(announced.link, LONGEST_VALUE),
    )
