"""How fast a model may be asked: as many calls at once, and no sooner than its server wishes."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

LONGEST_HOLD_SECONDS = 60.0
MINUTE_SECONDS = 60.0


@dataclass(kw_only=True, slots=True)
class Heard:
    """The headers of the last reply to the call at hand, their names in lower case."""

    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def retires_at(self) -> float | None:
        """When the server says that the model is retired, in seconds since the epoch."""
        return moment_of(self.headers.get("x-model-deprecation-timestamp", ""))


HEARD: ContextVar[Heard | None] = ContextVar("heard", default=None)
"""Where the transport leaves the headers, which the SDK gives to nobody."""


def moment_of(text: str) -> float | None:
    """Read a date of ISO 8601 or seconds since the epoch; None when it is neither."""
    text = text.strip()[:40]
    try:
        found = float(text)
    except ValueError:
        try:
            date = dt.datetime.fromisoformat(text)
        except ValueError:
            return None
        found = (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp()
    return found if math.isfinite(found) and found > 0 else None


def hold_seconds(headers: Mapping[str, str]) -> float:
    """Say how long to leave a server alone after a reply, by what it says is left of its limits.

    One refill's time once its requests of the minute, or the tokens for one more like the last
    call, are used up: it says neither when its minute began nor whether it refills bit by bit.
    """
    left, most = _number(headers, "remaining-req-minute"), _number(headers, "limit-req-minute")
    if left is not None and most and left < 1:
        return min(MINUTE_SECONDS / most, MINUTE_SECONDS)
    left = _number(headers, "remaining-tokens-minute")
    most, cost = _number(headers, "limit-tokens-minute"), _number(headers, "tokens-query-cost")
    if left is not None and most and cost and left < cost:
        return min(MINUTE_SECONDS * (cost - left) / most, MINUTE_SECONDS)
    return 0.0


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        found = float(headers.get(f"x-ratelimit-{name}", ""))
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


class HeldError(Exception):
    """The server is to be left alone for longer than can be waited."""

    def __init__(self, seconds: float, reason: str) -> None:
        """Keep how long."""
        super().__init__(f"not asked for {seconds:.0f} s more: {reason}")


class Pace:
    """One model's turnstile, for all analyses of the process."""

    def __init__(self, concurrency: int, clock: Callable[[], float]) -> None:
        """Let *concurrency* through at once."""
        self._free = asyncio.Semaphore(concurrency)
        self._clock = clock
        self._held_until = 0.0
        self._reason = ""

    @property
    def held_seconds(self) -> float:
        """How long the server is still to be left alone."""
        return max(0.0, self._held_until - self._clock())

    def hold(self, seconds: float, reason: str) -> None:
        """Leave the server alone for a while."""
        until = self._clock() + min(seconds, LONGEST_HOLD_SECONDS)
        if until > self._held_until:
            self._held_until, self._reason = until, reason

    def check(self, patience_seconds: float) -> float:
        """Give how long to wait before the next call; raises HeldError where that is too long."""
        if (held := self.held_seconds) > patience_seconds:
            raise HeldError(held, self._reason)
        return held

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Heard]:
        """Let one call through, and go by what its reply said."""
        async with self._free:
            heard = Heard()
            token = HEARD.set(heard)
            try:
                yield heard
            finally:
                HEARD.reset(token)
                if seconds := hold_seconds(heard.headers):
                    self.hold(seconds, "its rate limit is used up")
