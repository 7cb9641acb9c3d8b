"""Tokens a day: whether a run may be made, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.target import Observation

_DAY_SECONDS = 86_400.0
_AHEAD_SECONDS = 3_600.0
_CHARACTERS_PER_TOKEN = 4


@dataclass(kw_only=True, slots=True)
class TokenBudget:
    """Spreads a day's tokens evenly over the UTC day, one hour's share ahead.

    Without `tokens_per_day` everything is allowed; what is spent is then counted all the same.
    """

    tokens_per_day: int | None
    spent_tokens: int = 0
    day: int = -1

    def allows(self, now: float) -> bool:
        """Say whether a run may be made at `now` (unix seconds)."""
        self._turn(now)
        if self.tokens_per_day is None:
            return True
        share = min(1.0, (now % _DAY_SECONDS + _AHEAD_SECONDS) / _DAY_SECONDS)
        return self.spent_tokens < self.tokens_per_day * share

    def spend(self, tokens: int, now: float) -> None:
        """Count what a run cost."""
        self._turn(now)
        self.spent_tokens += tokens

    def remaining(self, now: float) -> int:
        """Return the tokens left today."""
        self._turn(now)
        return max(0, (self.tokens_per_day or 0) - self.spent_tokens)

    def _turn(self, now: float) -> None:
        day = int(now // _DAY_SECONDS)
        if day != self.day:
            self.day, self.spent_tokens = day, 0


def cost_tokens(observation: Observation, prompt: str) -> int:
    """Return what a run cost: usage where it was told, else four characters a token."""
    if observation.prompt_tokens is not None and observation.output_tokens is not None:
        return observation.prompt_tokens + observation.output_tokens
    said = len(prompt) + len(observation.answer) + len(observation.reasoning)
    return said // _CHARACTERS_PER_TOKEN
