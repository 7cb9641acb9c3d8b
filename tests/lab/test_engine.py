"""The engine's arithmetic, with the time handed in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.engine import Emission, Engine, Generation, Pace

PACE = Pace(
    batch_limit=2,
    step_seconds=0.010,
    sequence_seconds=0.001,
    prefill_seconds=0.040,
    prompt_token_seconds=0.0,
)


def asked(tokens: int = 3, fail_after: int | None = None) -> Generation:
    """Return a request for so many tokens."""
    answer = tuple("abcdefghijklmnopqrstuvwxyz"[:tokens])
    return Generation(answer=answer, prompt_tokens=5, fail_after=fail_after)


def drain(engine: Engine, now: float) -> tuple[list[Emission], float]:
    """Advance at each due time until nothing is left; returns the emissions and the last time."""
    emissions: list[Emission] = []
    while (due := engine.due()) is not None:
        now = max(now, due)
        emissions += engine.advance(now)
    return emissions, now


def test_one_request_takes_its_prefill_and_a_step_for_each_further_token() -> None:
    """Alone, three tokens take the prefill and two steps of one sequence."""
    engine = Engine(pace=PACE)
    request = asked()
    engine.submit(request, 1.0)
    emissions, now = drain(engine, 1.0)
    assert [e.token for e in emissions] == ["a", "b", "c"]
    assert [e.first for e in emissions] == [True, False, False]
    assert [e.last for e in emissions] == [False, False, True]
    assert now == pytest.approx(1.0 + 0.040 + 2 * 0.011)
    assert request.finish == "stop"


def test_gaps_are_the_steps() -> None:
    """The gap that is measured between tokens is the time that the step took."""
    engine = Engine(pace=PACE)
    engine.submit(asked(), 0.0)
    emissions, _ = drain(engine, 0.0)
    assert [e.gap_seconds for e in emissions] == pytest.approx([0.0, 0.011, 0.011])


def test_over_the_batch_limit_requests_wait_in_order() -> None:
    """A third request runs only when one of the first two has ended."""
    engine = Engine(pace=PACE)
    requests = [asked(2), asked(4), asked(2)]
    for request in requests:
        engine.submit(request, 0.0)
    assert (engine.running, engine.waiting) == (0, 3)
    engine.advance(0.0)
    assert (engine.running, engine.waiting) == (2, 1)
    drain(engine, 0.0)
    ended = requests[0].last_token_seconds
    assert requests[2].admitted_seconds == pytest.approx(ended)
    assert (engine.running, engine.waiting) == (0, 0)


def test_a_fuller_batch_makes_longer_steps() -> None:
    """Two sequences share a step that costs one sequence more."""
    engine = Engine(pace=PACE)
    for _ in range(2):
        engine.submit(asked(3), 0.0)
    _, now = drain(engine, 0.0)
    assert now == pytest.approx(0.040 + 2 * 0.012)


def test_nothing_moves_while_nobody_advances() -> None:
    """A stalled loop leaves requests where they are, and they can still be counted."""
    engine = Engine(pace=PACE)
    engine.submit(asked(), 0.0)
    engine.advance(0.0)
    for _ in range(5):
        engine.submit(asked(), 1.0)
    assert (engine.running, engine.waiting) == (1, 5)
    assert engine.totals.generated_tokens == 0
    assert engine.due() == 0.0


def test_slow_steps_leave_the_first_token_in_time() -> None:
    """A slowdown stretches the steps alone."""
    engine = Engine(pace=replace(PACE, slowdown_ratio=5.0))
    engine.submit(asked(3), 0.0)
    emissions, now = drain(engine, 0.0)
    assert emissions[0].sequence.first_token_due_seconds == pytest.approx(0.040)
    assert now == pytest.approx(0.040 + 2 * 0.051)


def test_slow_prefill_leaves_the_steps_in_time() -> None:
    """A longer prefill delays the first token alone, and does not hold up other requests."""
    engine = Engine(pace=PACE)
    early = asked(20)
    engine.submit(early, 0.0)
    engine.advance(0.0)
    engine.pace = replace(PACE, prefill_extra_seconds=1.0)
    late = asked(2)
    engine.submit(late, 0.01)
    _, now = drain(engine, 0.01)
    assert early.last_token_seconds == pytest.approx(0.040 + 19 * 0.011)
    assert now == pytest.approx(1.05 + 0.011)


def test_an_aborted_request_leaves_its_place() -> None:
    """Aborting frees the batch for who waits, and doing it twice changes nothing."""
    engine = Engine(pace=PACE)
    requests = [asked(), asked(), asked()]
    for request in requests:
        engine.submit(request, 0.0)
    engine.advance(0.0)
    engine.abort(requests[0])
    engine.abort(requests[0])
    assert (engine.running, engine.waiting) == (1, 1)
    engine.advance(0.001)
    assert (engine.running, engine.waiting) == (2, 0)
    drain(engine, 0.001)
    assert [r.finish for r in requests] == ["abort", "stop", "stop"]


def test_a_failing_request_says_so_after_its_tokens() -> None:
    """A failure is an emission without a token, and the last one."""
    engine = Engine(pace=PACE)
    engine.submit(asked(5, fail_after=2), 0.0)
    emissions, _ = drain(engine, 0.0)
    assert [e.token for e in emissions] == ["a", "b", None]
    assert emissions[-1].last
    assert emissions[-1].sequence.finish == "error"


def test_a_late_wake_up_is_not_caught_up() -> None:
    """After a pause the engine makes one step, not all those it missed."""
    engine = Engine(pace=PACE)
    engine.submit(asked(10), 0.0)
    engine.advance(0.0)
    engine.advance(0.040)
    assert len(engine.advance(5.0)) == 1
    assert len(engine.advance(5.0)) <= 1
    assert engine.due() is not None


def test_the_cache_fills_with_prompts_and_tokens() -> None:
    """The ratio counts what running requests hold, and never goes over 1."""
    engine = Engine(pace=replace(PACE, cache_tokens=10))
    engine.submit(asked(4), 0.0)
    assert engine.cache_ratio == 0.0
    engine.advance(0.0)
    assert engine.cache_ratio == 0.5
    engine.submit(asked(26), 0.0)
    engine.advance(0.0)
    assert engine.cache_ratio == 1.0


def test_the_shipped_pace_has_room_for_slow_faults_at_peak_load() -> None:
    """By Little's law neither slow fault fills the batch at ten requests a second of 18 tokens."""
    pace = Pace()
    for slow in (
        replace(pace, prefill_extra_seconds=1.0),
        replace(pace, slowdown_ratio=5.0),
    ):
        held = 0.0
        for _ in range(200):  # the fixed point of L = rate x time(L)
            held = 10 * (slow.prefill(10) + 17 * slow.step(round(held)))
        assert held < pace.batch_limit * 0.75
    assert 4 <= replace(pace, slowdown_ratio=5.0).step(1) / pace.step(1) <= 6


def test_the_shipped_pace_is_over_capacity_in_a_surge() -> None:
    """A full batch serves fewer requests a second than the surge brings."""
    pace = Pace()
    served = pace.batch_limit / (18 * pace.step(pace.batch_limit))
    assert served < 60 / 1.5


@given(st.lists(st.integers(min_value=1, max_value=20), min_size=1, max_size=30))
def test_every_token_is_generated_once(lengths: list[int]) -> None:
    """However many requests there are, each gets all of its tokens and the totals agree."""
    engine = Engine(pace=PACE)
    requests = [asked(length) for length in lengths]
    for request in requests:
        engine.submit(request, 0.0)
    emissions, _ = drain(engine, 0.0)
    assert len(emissions) == sum(lengths) == engine.totals.generated_tokens
    assert all(r.finish == "stop" and r.produced == len(r.answer) for r in requests)
    assert engine.totals.prompt_tokens == 5 * len(lengths)
