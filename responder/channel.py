"""The contract of a delivery channel and its registry; one file each in channels/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import aiohttp
from pydantic import Field

from responder.incident import Incident
from responder.investigation.report import Report
from toolkit.plugins import Registry
from toolkit.settings import Duration, Settings

Event = Literal["reported", "updated", "resolved"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One thing to deliver; the same key means the same message, however often it is sent.

    `event` says what is new: the report, something after it, or that the incident it is about is
    over; `note` says it in words, where there is more to say. `destination` is one of the
    channel's own. `reference` is what the first delivery of this incident there gave, empty when
    there was none. `earlier_attempts` tells that one before may have arrived without an answer.
    `chart_svg` shows the first cause, where something can be shown.
    """

    idempotency_key: str
    report: Report
    incident: Incident
    page_url: str
    event: Event = "reported"
    note: str = ""
    destination: str = ""
    reference: str = ""
    earlier_attempts: int = 0
    chart_svg: str = ""


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

    @property
    def horizon(self) -> float:
        """How many seconds a message is tried for, before it is given up."""
        ...

    def destinations(self) -> tuple[str, ...]:
        """Give the places that each message goes to, each with its own row in the outbox."""
        ...

    async def send(
        self, message: Message, session: aiohttp.ClientSession, deadline_seconds: float
    ) -> Delivered | Retry | Rejected:
        """Deliver *message* once, to its destination."""
        ...


class ChannelSettings(Settings):
    """The settings that every channel has; one place to deliver to, unless it says otherwise."""

    horizon: Duration = Field(default=24 * 3600.0, gt=0)
    """A message that could not be delivered for so long is given up, shown and counted."""

    def destinations(self) -> tuple[str, ...]:
        """Give the one place that has no name of its own."""
        return ("",)


channels: Registry[Channel] = Registry("channel")
