"""A transport that keeps what goes through it, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from exporter.hostname import asked_as
from exporter.target import Exchange
from exporter.transport import Request, Transport

_MOST_KEPT: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One request and what came of it."""

    request: Request
    exchange: Exchange


class Witness:
    """The Transport behind another one; `hostname` is asked for where the url names a host.

    Where a run asks several hosts, it is the one that was asked first which has the name.
    """

    def __init__(self, transport: Transport, hostname: str | None = None) -> None:
        self._transport = transport
        self._hostname = hostname
        self._first: str | None = None
        self.said: list[Said] = []

    async def exchange(self, request: Request) -> Exchange:
        """Pass the request on; keep both sides."""
        place = urlsplit(request.url).netloc
        self._first = self._first or place
        if self._hostname is not None and place == self._first:
            request = asked_as(request, self._hostname)
        exchange = await self._transport.exchange(request)
        if len(self.said) < _MOST_KEPT:
            self.said.append(Said(request=request, exchange=exchange))
        return exchange
