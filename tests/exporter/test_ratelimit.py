"""Rate limits as headers tell them."""

from __future__ import annotations

import pytest

from exporter import metrics
from exporter.ratelimit import remaining_ratios
from tests.exporter.world import World, exchange, http


@pytest.mark.parametrize(
    ("headers", "ratios"),
    [
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "15",
                "x-ratelimit-reset-requests": "1s",
            },
            {"requests": 0.25},
        ),
        (
            {
                "x-ratelimit-limit-tokens-minute": "1000",
                "x-ratelimit-remaining-tokens-minute": "500",
                "x-ratelimit-limit-req-minute": "10",
                "x-ratelimit-remaining-req-minute": "0",
            },
            {"tokens_minute": 0.5, "requests_minute": 0.0},
        ),
        (
            {
                "anthropic-ratelimit-input-tokens-limit": "400",
                "anthropic-ratelimit-input-tokens-remaining": "100",
            },
            {"input_tokens": 0.25},
        ),
        ({"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0"}, {}),
        ({"x-ratelimit-remaining-requests": "5"}, {}),
        ({"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "nan"}, {}),
        ({"x-ratelimit-limit-requests": "1e999", "x-ratelimit-remaining-requests": "1"}, {}),
        ({"x-ratelimit-limit-requests": "5", "x-ratelimit-remaining-requests": "-1"}, {}),
        ({"x-ratelimit-limit-evil": "5", "x-ratelimit-remaining-evil": "1"}, {}),
        ({"x-ratelimit-limit-tokens": "5", "x-ratelimit-remaining-tokens": "9"}, {"tokens": 1.0}),
    ],
)
def test_the_part_that_is_left_is_read(headers: dict[str, str], ratios: dict[str, float]) -> None:
    """A limit and its remainder give a ratio; one alone, odd numbers and other names give none."""
    assert remaining_ratios(headers) == ratios


async def test_what_is_left_is_shown_also_of_a_refusal() -> None:
    """A 429 is when it matters; the figure goes with the answer that told it."""
    told = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}
    answers = iter([exchange(status=429, headers=told), exchange()])
    world = World(lambda _: next(answers))
    agent = world.agent(http())
    await agent.run_once()
    (shown,) = agent.record.samples(world.now)[metrics.RATELIMIT]
    assert (shown.value, shown.labels) == (0.0, (("resource", "requests"),))
    await agent.run_once()
    assert metrics.RATELIMIT not in agent.record.samples(world.now)
