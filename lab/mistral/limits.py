"""The API's rate limits: requests and tokens of the last minute, told in each reply's headers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.mistral import refusals

MINUTE_SECONDS = 60.0


@dataclass(kw_only=True, slots=True)
class RateLimits:
    """Counts what came within the last minute of *clock*."""

    requests_per_minute: int = 600
    tokens_per_minute: int = 4_000_000
    clock: Callable[[], float]
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def take(self, tokens: int) -> dict[str, str]:
        """Count a request and give the headers; raises RefusedError when it is one too many."""
        now = self.clock()
        while self._seen and now - self._seen[0][0] >= MINUTE_SECONDS:
            self._seen.popleft()
        used = sum(cost for _, cost in self._seen)
        over = len(self._seen) >= self.requests_per_minute
        if over or used + tokens > self.tokens_per_minute:
            oldest = self._seen[0][0] if self._seen else now
            wait_seconds = math.ceil(MINUTE_SECONDS - (now - oldest))
            raise refusals.rate_limited(str(max(1, wait_seconds)))
        self._seen.append((now, tokens))
        return {
            "x-ratelimit-limit-req-minute": str(self.requests_per_minute),
            "x-ratelimit-remaining-req-minute": str(self.requests_per_minute - len(self._seen)),
            "x-ratelimit-limit-tokens-minute": str(self.tokens_per_minute),
            "x-ratelimit-remaining-tokens-minute": str(self.tokens_per_minute - used - tokens),
            "x-ratelimit-tokens-query-cost": str(tokens),
        }
