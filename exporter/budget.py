"""Tokens a day: whether a run may be made, and what is left, of one target and of all."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from exporter.probe import Question
from exporter.target import Exchange, Observation, Skip, Target

_DAY_SECONDS = 86_400.0
_AHEAD_SECONDS = 3_600.0
_CHARACTERS_PER_TOKEN = 4


@dataclass(kw_only=True, slots=True)
class TokenBudget:
    """Spreads a day's tokens evenly over the UTC day, one hour's share ahead.

    Without `tokens_per_day` everything is allowed; what is spent is then counted all the same.
    `since` is from when the day's share counts: its start, or when this budget was first asked, so
    that one of which nothing is known does not spend a morning's tokens a second time.
    """

    tokens_per_day: int | None
    spent_tokens: int = 0
    day: int = -1
    since: float = 0.0

    def allows(self, now: float, cost: int = 0) -> bool:
        """Say whether a run that may cost this much may be made at `now` (unix seconds)."""
        self.turn(now)
        if self.tokens_per_day is None:
            return True
        elapsed = max(0.0, now - self.since)
        share = min(1.0, (elapsed + _AHEAD_SECONDS) / _DAY_SECONDS)
        is_in_time = self.spent_tokens < self.tokens_per_day * share
        return is_in_time and self.spent_tokens + cost <= self.tokens_per_day

    def spend(self, tokens: int, now: float) -> None:
        """Count what a run cost; less than none takes back what was held for it."""
        self.turn(now)
        self.spent_tokens = max(0, self.spent_tokens + tokens)

    @property
    def remaining(self) -> int | None:
        """The tokens left of the day that was last looked at; None without a limit."""
        limit = self.tokens_per_day
        return None if limit is None else max(0, limit - self.spent_tokens)

    def turn(self, now: float) -> None:
        """Begin another day where it is one."""
        day = int(now // _DAY_SECONDS)
        if day != self.day:
            self.since = now if self.day < 0 else day * _DAY_SECONDS
            self.day, self.spent_tokens = day, 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Tokens that are counted as spent while it is not known what a run costs."""

    tokens: int
    day: int
    budgets: tuple[TokenBudget, ...]


_NOTHING = Hold(tokens=0, day=-1, budgets=())


class Ledger:
    """What this day's runs cost: each target's, known by name, and all together.

    `version` rises with each change. A target that goes and comes back finds its budget again, as
    far as it has spent anything that day.
    """

    def __init__(self) -> None:
        self.total = TokenBudget(tokens_per_day=None)
        self.version = 0
        self._budgets: dict[str, TokenBudget] = {}

    def budget_of(self, target: Target) -> TokenBudget:
        """Return a target's budget, with the limit that it has now."""
        budget = self._budgets.setdefault(target.name or "", TokenBudget(tokens_per_day=None))
        budget.tokens_per_day = tokens_per_day(target)
        return budget

    def forget_all_but(self, names: Container[str], now: float) -> None:
        """Drop the budgets of other targets, but for those that spent something today."""
        spent = dict(self.spent(now))
        self._budgets = {n: each for n, each in self._budgets.items() if n in names or n in spent}

    def hold(self, cost: int, now: float, own: TokenBudget | None = None) -> Hold | Skip:
        """Set a run's cost aside, or say why it may not be made.

        What costs nothing and has no budget of its own is of no concern.
        """
        if not cost and (own is None or own.tokens_per_day is None):
            return _NOTHING
        if own is not None and not own.allows(now, cost):
            return Skip.BUDGET
        if not self.total.allows(now, cost):
            return Skip.TOTAL_BUDGET
        budgets = (self.total,) if own is None else (own, self.total)
        self._count(budgets, cost, now)
        return Hold(tokens=cost, day=self.total.day, budgets=budgets)

    def settle(self, hold: Hold, cost: int, now: float) -> None:
        """Count what the run did cost; one that began yesterday was counted in full there."""
        if not hold.budgets:
            return
        self.total.turn(now)
        if hold.day == self.total.day and cost != hold.tokens:
            self._count(hold.budgets, cost - hold.tokens, now)

    def _count(self, budgets: tuple[TokenBudget, ...], tokens: int, now: float) -> None:
        self.version += 1
        for budget in budgets:
            budget.spend(tokens, now)

    def spent(self, now: float) -> Iterator[tuple[str, TokenBudget]]:
        """Yield the targets that spent something today."""
        day = int(now // _DAY_SECONDS)
        for name, budget in self._budgets.items():
            if budget.day == day and budget.spent_tokens:
                yield name, budget

    def restore(self, total: TokenBudget, budgets: Mapping[str, TokenBudget]) -> None:
        """Go on from what was spent before a restart; limits come from the configuration."""
        self.total = total
        self._budgets = dict(budgets)

    def figures(self, now: float) -> tuple[int | None, int]:
        """Return the total's limit and what of it is spent today."""
        self.total.turn(now)
        return self.total.tokens_per_day, self.total.spent_tokens


def tokens_per_day(target: Target) -> int | None:
    """Return a target's own limit."""
    return target.budget.tokens_per_day if target.budget else None


def cost_tokens(question: Question, exchange: Exchange | None, seen: Observation) -> int:
    """Return what a run cost: usage where it was told, else four characters a token.

    Nothing where no request went out or it was refused; all that it may cost where nobody knows,
    because the answer was cut off.
    """
    if seen.prompt_tokens is not None and seen.output_tokens is not None:
        return seen.prompt_tokens + seen.output_tokens
    if exchange is None:
        return question.cost_tokens
    if not exchange.written or (exchange.status or 0) >= 400:
        return 0
    said = len(question.text) + len(seen.answer) + len(seen.reasoning)
    guessed = said // _CHARACTERS_PER_TOKEN
    return guessed if exchange.complete else max(guessed, question.cost_tokens)
