"""The contract of a delivery channel and its registry; one file each in channels/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import aiohttp

from responder.incident import Incident
from responder.investigation.report import Report
from toolkit.plugins import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One thing to deliver; the same key means the same message, however often it is sent.

    `event` says what is new: the report, or that the incident it is about is over.
    """

    idempotency_key: str
    report: Report
    incident: Incident
    page_url: str
    event: Literal["reported", "resolved"] = "reported"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """The far end has it; `reference` finds it again, where the service gives one."""

    reference: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """Not now; `after_seconds` is the far end's own wish, where it gave one."""

    problem: str
    after_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """Never: the far end refused this message for what it is."""

    problem: str


class Channel(Protocol):
    """Delivers a message within `deadline_seconds`; never raises for what the far end does.

    `name` tells it from others of its kind, and never changes: the outbox knows it by that.
    """

    @property
    def name(self) -> str:
        """What the configuration calls it."""
        ...

    async def send(
        self, message: Message, session: aiohttp.ClientSession, deadline_seconds: float
    ) -> Delivered | Retry | Rejected:
        """Deliver *message* once."""
        ...


channels: Registry[Channel] = Registry("channel")
