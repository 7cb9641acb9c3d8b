"""What is kept of a target's last runs, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.history import KEPT_FAILURES, KEPT_SUCCESSES, MOST_POINTS, PastRun
from exporter.peer import Peer
from exporter.target import CheckResult, Chunk, Exchange, Reason, State, Times
from tests.exporter.world import World, chat, exchange, http, says

TIMES = Times(
    begin=100.0,
    end=103.0,
    resolve_begin=100.0,
    resolve_end=100.1,
    connect_begin=100.1,
    connect_end=100.3,
    tls_begin=100.3,
    tls_end=100.6,
    written=100.7,
    first_byte=101.5,
)


async def run_of(answer: Exchange, **fields: object) -> PastRun:
    """Make one run that is answered so, and return it as it is kept."""
    agent = World(lambda _: answer).agent(http(**fields))
    await agent.run_once()
    (run,) = agent.record.history.runs()
    return run


async def test_failures_outlive_successes() -> None:
    """However many runs succeed after it, a failure is kept; ten of them are, and three others."""
    codes = iter([500, *[200] * 50, *[503] * (KEPT_FAILURES - 1), 200])
    world = World(lambda _: exchange(status=next(codes)))
    agent = world.agent(http())
    for _ in range(51):
        await agent.run_once()
    runs = agent.record.history.runs()
    assert [run.status_code for run in runs] == [200] * KEPT_SUCCESSES + [500]
    for _ in range(KEPT_FAILURES):
        await agent.run_once()
    assert [run.status_code for run in agent.record.failures] == [503] * (KEPT_FAILURES - 1) + [500]
    runs = agent.record.history.runs()
    assert [run.status_code for run in runs][:2] == [200, 503]
    times = [run.finished_timestamp_seconds for run in runs]
    assert times == sorted(times, reverse=True)


async def test_times_are_kept_since_the_beginning() -> None:
    """Every event and chunk is told in seconds after the exchange began."""
    chunks = (Chunk(at=101.6, data=b"a"), Chunk(at=102.0, data=b"b"), Chunk(at=103.0, data=b"c"))
    run = await run_of(
        exchange(times=TIMES, chunks=chunks, peer=Peer(address="10.0.0.1"), earlier=(exchange(),))
    )
    assert run.way is not None
    assert run.phases == pytest.approx(TIMES.phases(), abs=1e-6)
    assert run.way.times.end == pytest.approx(3.0)
    assert [number for number, _ in run.way.points] == [1, 2, 3]
    assert [at for _, at in run.way.points] == pytest.approx([1.6, 2.0, 3.0])
    assert (run.way.address, run.way.complete) == ("10.0.0.1", True)
    assert run.way.earlier == pytest.approx((0.5,))


async def test_what_did_not_happen_stays_absent() -> None:
    """An exchange that broke while connecting has no other times, and no chunks."""
    times = Times(begin=5.0, end=5.2, connect_begin=5.0)
    run = await run_of(
        exchange(times=times, status=None, chunks=(), failure=Reason.CONNECT, complete=False)
    )
    assert run.way is not None
    assert run.way.times.end == pytest.approx(0.2)
    assert replace(run.way.times, end=0.0) == Times(begin=0.0, end=0.0, connect_begin=0.0)
    assert (run.way.points, run.way.chunks, run.phases) == ((), 0, {})
    assert (run.reason, run.status_code, run.state) == (Reason.CONNECT, None, State.DOWN)


async def test_many_chunks_are_thinned_but_not_beside_the_longest_wait() -> None:
    """Of ten thousand chunks two hundred are kept: the first, the last, and those at the wait."""
    at = [0.001 * number + (5 if number > 7003 else 0) for number in range(1, 10_001)]
    run = await run_of(
        exchange(times=Times(begin=0, end=16), chunks=tuple(Chunk(at=a, data=b"x") for a in at))
    )
    assert run.way is not None
    points = dict(run.way.points)
    assert run.way.chunks == 10_000
    assert len(points) <= MOST_POINTS
    assert {1, 7003, 7004, 10_000} <= set(points)
    assert points[7004] - points[7003] == pytest.approx(5.001, abs=1e-5)


async def test_figures_and_checks_are_kept() -> None:
    """What a run measured and what each check found is there again."""
    agent = World(lambda _: says("ready")).agent(chat())
    await agent.run_once()
    (run,) = agent.record.history.runs()
    assert (run.canary, run.excerpt, run.prompt_tokens, run.output_tokens) == (
        "alive",
        "ready",
        9,
        2,
    )
    assert run.why == "right and within its limits"
    failed = await run_of(exchange(), checks=[{"contains": "no"}, {"regex": "ok"}])
    assert failed.checks == (
        CheckResult(
            check="contains",
            passed=False,
            reason=Reason.WRONG_ANSWER,
            detail="the text is not in the answer",
        ),
        CheckResult(check="regex", passed=True),
    )
    assert failed.why == "too few of the last answers were right"


async def test_a_run_without_an_exchange_is_kept() -> None:
    """Where our own program broke there is a failure without any times."""

    def answer(_: object) -> Exchange:
        raise RuntimeError

    agent = World(answer).agent(http())
    await agent.run_once()
    (run,) = agent.record.failures
    assert (run.way, run.phases, run.reason) == (None, {}, Reason.INTERNAL)


async def test_kept_texts_are_bounded() -> None:
    """A long answer is cut: shorter when it was right, since those are many."""
    right = await run_of(exchange(b"x" * 5000))
    wrong = await run_of(exchange(b"x" * 5000, status=500))
    assert (len(right.excerpt), len(wrong.excerpt)) == (200, 500)
