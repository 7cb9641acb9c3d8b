"""What runs may cost in a day, and what they did; time is given."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from exporter import metrics
from exporter.budget import Hold, Ledger, TokenBudget, cost_tokens
from exporter.config import Config
from exporter.fleet import Fleet
from exporter.probe import Question
from exporter.target import Budget, Exchange, Native, Observation, Skip, State, Target, Times
from exporter.transport import Request
from tests.exporter.world import World, chat, exchange, http, says
from toolkit.lifecycle import Supervisor

DAY = 86_400.0
MIDNIGHT = 20_000 * DAY
ASKED = Question(text="four of them 16c", cost_tokens=50)


def spending(budget: TokenBudget, begin: float, end: float, every: float, cost: int) -> list[float]:
    """Run whenever it is allowed; return when."""
    at = []
    for now in (begin + n * every for n in range(int((end - begin) / every))):
        if budget.allows(now, cost):
            budget.spend(cost, now)
            at.append(now)
    return at


def known(tokens_per_day: int) -> TokenBudget:
    """Make a budget that was there before midnight."""
    budget = TokenBudget(tokens_per_day=tokens_per_day)
    budget.turn(MIDNIGHT - DAY)
    return budget


def test_the_day_is_spent_evenly() -> None:
    """Of runs each minute that cost three times the budget, a third is made in every hour."""
    at = spending(known(4800), MIDNIGHT, MIDNIGHT + DAY, 60, 10)
    hours = [sum(1 for each in at if each // 3600 % 24 == hour) for hour in range(24)]
    assert sum(hours) == 480
    assert sum(hours[:9]) == pytest.approx(480 * 10 / 24, abs=1)
    assert min(hours[:-1]) >= 19
    assert max(hours) <= 41


@pytest.mark.parametrize("seed", range(5))
def test_no_day_costs_more_than_its_budget(seed: int) -> None:
    """Whatever runs cost and whenever they come, a day's spending stays within the limit."""
    chance = random.Random(seed)
    budget = TokenBudget(tokens_per_day=1000)
    now, spent = MIDNIGHT + chance.uniform(0, DAY), dict[int, int]()
    while now < MIDNIGHT + 3 * DAY:
        cost = chance.randint(1, 90)
        if budget.allows(now, cost):
            budget.spend(cost, now)
            spent[int(now // DAY)] = spent.get(int(now // DAY), 0) + cost
        now += chance.uniform(1, 900)
    assert len(spent) == 3
    assert max(spent.values()) <= 1000
    assert spent[20_001] > 850


def test_what_begins_at_noon_has_half_a_day() -> None:
    """A budget of which nothing is known does not spend the morning's share too."""
    at = spending(TokenBudget(tokens_per_day=4800), MIDNIGHT + DAY / 2, MIDNIGHT + DAY, 60, 10)
    assert len(at) == pytest.approx(480 * 13 / 24, abs=1)


def test_a_clock_put_back_stops_no_run() -> None:
    """Within the day an hour's share is there still; on the day before it is another day."""
    budget = TokenBudget(tokens_per_day=2400)
    assert budget.allows(MIDNIGHT + 7200, 10)
    assert budget.allows(MIDNIGHT + 10, 10)
    budget.spend(2400, MIDNIGHT + 10)
    assert not budget.allows(MIDNIGHT + 10, 10)
    assert budget.allows(MIDNIGHT - 10, 10)


@pytest.mark.parametrize(
    ("given", "seen", "cost"),
    [
        (exchange(), Observation(prompt_tokens=7, output_tokens=3), 10),
        (exchange(status=500), Observation(prompt_tokens=7, output_tokens=3), 10),
        (exchange(), Observation(answer="x" * 20, reasoning="y" * 4), 10),
        (exchange(complete=False), Observation(answer="x" * 20), 50),
        (exchange(complete=False), Observation(answer="x" * 400), 104),
        (exchange(status=429), Observation(answer="slow down"), 0),
        (Exchange(times=Times(begin=1, end=2)), Observation(), 0),
        (None, Observation(), 50),
    ],
    ids=["usage", "usage of 500", "guess", "cut off", "cut late", "refused", "unsent", "broken"],
)
def test_cost_of_a_run(given: Exchange | None, seen: Observation, cost: int) -> None:
    """Usage counts, else a guess; what went out and broke off counts in full, a refusal not."""
    assert cost_tokens(ASKED, given, seen) == cost


def test_runs_at_once_do_not_overdraw() -> None:
    """What runs may cost is set aside before they begin, and given back when they cost less."""
    ledger = Ledger()
    ledger.total.tokens_per_day = 120
    ledger.total.turn(MIDNIGHT - DAY)
    now = MIDNIGHT + DAY - 1
    held = [ledger.hold(50, now) for _ in range(3)]
    assert held[2] is Skip.TOTAL_BUDGET
    assert ledger.figures(now) == (120, 100)
    for each in held[:2]:
        assert isinstance(each, Hold)
        ledger.settle(each, 10, now)
    assert ledger.figures(now) == (120, 20)
    assert isinstance(ledger.hold(50, now), Hold)


def test_a_run_over_midnight_counts_on_the_day_it_began() -> None:
    """The new day begins with nothing spent, and nothing to spend twice."""
    ledger = Ledger()
    held = ledger.hold(50, MIDNIGHT - 1)
    assert isinstance(held, Hold)
    ledger.settle(held, 10, MIDNIGHT + 1)
    assert ledger.figures(MIDNIGHT + 1) == (None, 0)


def test_what_costs_nothing_is_never_held_up() -> None:
    """A kind without tokens runs on when the budget of all is spent."""
    ledger = Ledger()
    ledger.total.tokens_per_day = 1
    ledger.total.spend(1, MIDNIGHT)
    own = TokenBudget(tokens_per_day=None)
    assert isinstance(ledger.hold(0, MIDNIGHT, own), Hold)
    assert ledger.hold(1, MIDNIGHT, own) is Skip.TOTAL_BUDGET


async def test_total_budget_skips_on_every_target() -> None:
    """Two targets share it; what it leaves out is counted under its own reason."""
    world = World(lambda _: says("Paris"))
    ledger = world.around.ledger
    ledger.total.tokens_per_day = 240  # an hour's share is 10 tokens, a run costs 11
    one, two = world.agent(chat()), world.agent(chat())
    for agent in (one, two):
        await agent.run_once()
    assert len(world.asked) == 1
    samples = two.record.samples(world.now)
    skipped = {each.labels[0][1]: each.value for each in samples[metrics.SKIPPED]}
    assert skipped == {"budget": 0, "total_budget": 1}
    assert two.record.state(world.now) is State.UNKNOWN
    assert ledger.figures(world.around.wall_clock()) == (240, 11)


async def test_spent_and_left_are_shown() -> None:
    """The target's day is in its metrics, and the day of all in the exporter's own."""
    world = World(lambda _: says("Paris"))
    ledger = world.around.ledger
    world.instruments.budget = lambda: ledger.figures(world.around.wall_clock())
    agent = world.agent(chat(budget=Budget(tokens_per_day=1000)))
    await agent.run_once()
    samples = agent.record.samples(world.now)
    families = (metrics.BUDGET, metrics.BUDGET_SPENT, metrics.BUDGET_LEFT)
    assert [samples[family][0].value for family in families] == [1000, 11, 989]
    assert world.value("vigie_exporter_budget_tokens_spent") == 11
    assert world.value("vigie_exporter_budget_tokens_remaining") is None
    ledger.total.tokens_per_day = 500
    assert world.value("vigie_exporter_budget_tokens_remaining") == 489


async def test_what_has_no_tokens_shows_none() -> None:
    """A target of a kind that costs nothing has no series about cost."""
    world = World(lambda _: exchange())
    samples = world.agent(http()).record.samples(world.now)
    assert not {metrics.BUDGET, metrics.BUDGET_SPENT, metrics.SKIPPED} & samples.keys()


async def test_run_left_out_for_the_queue_costs_nothing() -> None:
    """What was set aside for it is given back, and the skip is counted as waiting."""
    native = Native(url="http://h/metrics", server="vllm")
    world = World(lambda _: exchange(b"vllm:num_requests_waiting 21\n"))
    limits = Budget(skip_if_waiting_over=20, tokens_per_day=10_000)
    agent = world.agent(chat(native=native, budget=limits))
    await agent.run_once()
    samples = agent.record.samples(world.now)
    assert {each.labels[0][1]: each.value for each in samples[metrics.SKIPPED]}["waiting"] == 1
    assert samples[metrics.BUDGET_SPENT][0].value == 0
    assert world.around.ledger.total.spent_tokens == 0


async def test_a_run_that_is_cancelled_counts_in_full() -> None:
    """Nobody knows what it cost, so that all it may cost stays counted."""

    def stop(_: Request) -> Exchange:
        raise asyncio.CancelledError

    world = World(stop)
    agent = world.agent(chat(budget=Budget(tokens_per_day=100_000)))
    with pytest.raises(asyncio.CancelledError):
        await agent.run_once()
    assert agent.record.budget.spent_tokens == agent.record.questions[0].cost_tokens > 0


async def test_a_target_that_comes_back_finds_its_budget_spent() -> None:
    """Neither a reload nor a gap in a discovery's list gives a target a second day's tokens."""
    world = World(lambda _: exchange())

    async def never(_: float) -> None:
        await asyncio.Event().wait()

    around = replace(world.around, sleep=never)

    def told(*targets: Target) -> Config:
        return Config(targets=targets, modules={}, tokens_per_day=5000)

    async with Supervisor() as supervisor:
        fleet = Fleet(supervisor, around)
        await fleet.take(told(chat(budget=Budget(tokens_per_day=1000)), http(name="b")))
        first = fleet.record("t")
        assert first is not None
        first.budget.spend(400, world.around.wall_clock())
        await fleet.take(told(http(name="c")))
        await fleet.take(told(chat(budget=Budget(tokens_per_day=900))))
        (record,) = fleet.records
        assert (record.budget.tokens_per_day, record.budget.remaining) == (900, 500)
    ledger = world.around.ledger
    assert ledger.total.tokens_per_day == 5000
    assert [name for name, _ in ledger.spent(world.around.wall_clock())] == ["t"]
