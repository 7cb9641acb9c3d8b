"""The junior agent: when it runs, what it records, what it leaves out; time is given."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

import exporter.checks  # noqa: F401 - registers the kinds
from exporter import metrics
from exporter.agent import JuniorAgent, spread
from exporter.canary import Canary
from exporter.probe import Required
from exporter.record import TargetRecord
from exporter.target import (
    Budget,
    Exchange,
    Native,
    Observation,
    Reason,
    State,
    Times,
)
from exporter.transport import Request
from tests.exporter.servers import DONE, event
from tests.exporter.world import World, chat, exchange, http, says


async def runs_of(world: World, agent: JuniorAgent, until: float) -> list[float]:
    """Let an agent work until a time; return when it asked."""
    task = asyncio.create_task(agent.work())
    while world.now < until:  # noqa: ASYNC110 - the clock is ours, and tells nobody
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return [at for at, _ in world.asked if at < until]


async def test_runs_are_an_interval_apart_from_a_start_of_its_own() -> None:
    """The first run comes where the name says, then one each interval."""
    world = World(lambda _: exchange())
    at = await runs_of(world, world.agent(http()), 1060)
    first = 1000 + 10 * spread("t")
    assert at == pytest.approx([first + 10 * index for index in range(len(at))])
    assert len(at) >= 5


async def test_starts_are_spread() -> None:
    """A hundred targets do not start together."""
    tenths = {int(10 * spread(f"target-{index}")) for index in range(100)}
    assert tenths == set(range(10))


async def test_late_run_starts_at_once_and_a_whole_interval_late_is_dropped() -> None:
    """Runs that last longer than the interval follow each other; what cannot be made is counted."""
    world = World(lambda _: exchange(), took_seconds=11)
    at = await runs_of(world, world.agent(http()), 1250)
    gaps = [after - before for before, after in itertools.pairwise(at)]
    assert min(gaps) == pytest.approx(11)
    assert (world.value("vigie_exporter_runs_dropped_total") or 0) >= 1


async def test_failure_takes_the_measurements_along() -> None:
    """After a failed run nothing of the run before is shown; facts and counters stay."""
    answers = [
        exchange(certificate_expiry_timestamp_seconds=5e9),
        Exchange(times=Times(begin=1, end=2), failure=Reason.CONNECT, detail="not connected"),
    ]
    world = World(lambda _: answers.pop(0))
    agent = world.agent(http())
    await agent.run_once()
    assert metrics.PHASE in agent.record.samples(world.now)
    await agent.run_once()
    samples = agent.record.samples(world.now)
    assert samples[metrics.SUCCESS][0].value == 0
    assert metrics.PHASE not in samples
    assert samples[metrics.CERTIFICATE][0].value == 5e9
    assert samples[metrics.RUNS][0].value == 2
    assert samples[metrics.REASONS][0].labels == (("reason", "connect"),)


async def test_what_makes_chunk_times_less_exact_is_counted() -> None:
    """Reads that brought several events, and streams during which the wall clock jumped."""
    answers = [exchange(), exchange(merged_reads=3), exchange(clock_stepped=True)]
    world = World(lambda _: answers.pop(0))
    agent = world.agent(http())
    for merged, stepped in ((0, 0), (3, 0), (3, 1)):
        await agent.run_once()
        assert world.value("vigie_exporter_merged_reads_total") == merged
        assert world.value("vigie_exporter_clock_steps_total") == stepped


async def test_our_own_fault_is_no_duration() -> None:
    """A run of reason internal is counted, but not timed; any other failed run is both."""
    answers = [
        Exchange(times=Times(begin=1, end=1), failure=Reason.INTERNAL, detail="ours"),
        Exchange(times=Times(begin=1, end=2), failure=Reason.CONNECT, detail="not connected"),
    ]
    world = World(lambda _: answers.pop(0))
    agent = world.agent(http())
    timed = []
    for _ in range(2):
        await agent.run_once()
        samples = agent.record.samples(world.now)[metrics.DURATION]
        timed.append(next(each.value for each in samples if each.suffix == "_count"))
    assert timed == [0, 1]
    assert agent.record.samples(world.now)[metrics.FAILURES][0].value == 2


async def test_agent_that_died_leaves_no_measurements() -> None:
    """Three intervals without a finished run: measurements go, the state is unknown."""
    world = World(lambda _: exchange())
    agent = world.agent(http())
    await agent.run_once()
    record = agent.record
    assert record.state(world.now + 29) is State.OK
    assert record.state(world.now + 31) is State.UNKNOWN
    samples = record.samples(world.now + 31)
    assert not {metrics.SUCCESS, metrics.PHASE} & samples.keys()
    assert record.measurements(world.now + 31) == {}


async def test_counters_are_there_before_anything_happened() -> None:
    """Runs, failures, checks and tokens start at 0; a reason appears with its first failure."""
    world = World(lambda _: exchange())
    target = chat(checks=({"regex": "a"},))
    samples = world.agent(target).record.samples(world.now)
    for family in (metrics.RUNS, metrics.FAILURES, metrics.CHECKS, metrics.CHECK_FAILURES):
        assert [sample.value for sample in samples[family]] == [0]
    assert {sample.value for sample in samples[metrics.TOKENS]} == {0}
    assert {sample.value for sample in samples[metrics.FIRST_TOKEN]} == {0}
    assert metrics.REASONS not in samples
    assert metrics.SUCCESS not in samples


async def test_exactly_one_state_is_1() -> None:
    """target_state has every state, one of them 1."""
    world = World(lambda _: exchange())
    states = world.agent(http()).record.samples(world.now)[metrics.STATE]
    assert len(states) == len(State)
    assert sum(sample.value for sample in states) == 1


async def test_slow_right_answer_is_degraded_and_a_success() -> None:
    """A limit exceeded is a failed check, not a failed run."""
    world = World(lambda _: exchange())
    agent = world.agent(http(checks=[{"max_duration": "100ms"}]))
    await agent.run_once()
    samples = agent.record.samples(world.now)
    assert agent.record.state(world.now) is State.DEGRADED
    assert samples[metrics.SUCCESS][0].value == 1
    assert samples[metrics.CHECK_FAILURES][0].value == 1
    assert samples[metrics.FAILURES][0].value == 0


async def test_wrong_answers_count_by_k_of_n() -> None:
    """With 2 of 3 the first wrong answer is noise, the second is wrong; each is a failed run."""
    world = World(lambda _: says("Lyon"))
    canary = Canary.model_validate(
        {"name": "c", "prompt": "p", "checks": [{"regex": "Paris"}], "required": "2 of 3"}
    )
    agent = world.agent(chat(canary))
    states = []
    for answer in ("Paris", "Lyon", "Lyon", "Paris", "Paris"):
        world.answer = lambda _, text=answer: says(text)  # type: ignore[misc]
        await agent.run_once()
        states.append(agent.record.state(world.now))
    assert states == [State.OK, State.DEGRADED, State.WRONG, State.WRONG, State.OK]
    assert agent.record.samples(world.now)[metrics.FAILURES][0].value == 2


async def test_canaries_take_turns_and_optional_ones_only_degrade() -> None:
    """Each run asks the next canary; a wrong optional one degrades the target."""
    world = World(lambda _: says("Paris"))
    canaries = [
        Canary.model_validate({"name": "c", "prompt": "one", "checks": [{"regex": "Paris"}]}),
        Canary.model_validate(
            {"name": "d", "prompt": "two", "checks": [{"regex": "Rome"}], "optional": True}
        ),
    ]
    agent = world.agent(chat(*canaries))
    for _ in range(4):
        await agent.run_once()
    assert [b"one" in request.body for _, request in world.asked] == [True, False, True, False]
    assert agent.record.state(world.now) is State.DEGRADED
    ratios = agent.record.samples(world.now)[metrics.PASS_RATIO]
    assert {sample.labels[0][1]: sample.value for sample in ratios} == {"c": 1, "d": 0}


async def test_spent_budget_skips_and_is_no_failure() -> None:
    """Over the day's share no request is made; the state is unknown and no run is counted."""
    world = World(lambda _: says("Paris"))
    agent = world.agent(chat(budget=Budget(tokens_per_day=15)))
    for _ in range(4):
        await agent.run_once()
    samples = agent.record.samples(world.now)
    assert len(world.asked) < 4
    assert agent.record.state(world.now) is State.UNKNOWN
    assert samples[metrics.SKIPPED][0].labels == (("reason", "budget"),)
    assert samples[metrics.FAILURES][0].value == 0
    assert metrics.SUCCESS not in samples


async def test_long_queue_skips() -> None:
    """Where more wait than allowed, the run is left out."""
    native = Native(url="http://h/metrics", server="vllm")
    world = World(lambda _: exchange(b"vllm:num_requests_waiting 21\n"))
    agent = world.agent(chat(native=native, budget=Budget(skip_if_waiting_over=20)))
    await agent.run_once()
    assert [request.url for _, request in world.asked] == ["http://h/metrics"]
    assert agent.record.state(world.now) is State.UNKNOWN


async def test_a_queue_that_never_shortens_is_probed_all_the_same() -> None:
    """After two runs left out because of the queue, the third is made: it may be a hang."""
    native = Native(url="http://h/metrics", server="vllm")
    world = World(lambda _: exchange(b"vllm:num_requests_waiting 21\n"))
    agent = world.agent(chat(native=native, budget=Budget(skip_if_waiting_over=20)))
    for _ in range(2):
        await agent.run_once()
    assert {request.url for _, request in world.asked} == {"http://h/metrics"}
    await agent.run_once()
    assert {request.url for _, request in world.asked} > {"http://h/metrics"}


@pytest.mark.parametrize(
    ("tokens", "waiting", "state"),
    [
        ([5, 5, 5, 5, 5, 5], 3, State.HUNG),
        ([5, 5, 5, 5, 5, 5], 0, State.HUNG),
        ([1, 2, 3, 4, 5, 6], 3, State.SATURATED),
        ([1, 2, 3, 4, 5, 6], 0, State.UNRESPONSIVE),
        ([], 0, State.DOWN),
    ],
)
async def test_timeout_is_explained(tokens: list[int], waiting: int, state: State) -> None:
    """The native metrics read around the run say which kind of silence it was."""

    def answer(request: Request) -> Exchange:
        if "metrics" not in request.url:
            return Exchange(
                times=Times(begin=1, end=6, written=1.1),
                failure=Reason.TIMEOUT_TOTAL,
                detail="late",
            )
        if not tokens:
            return Exchange(times=Times(begin=1, end=1), failure=Reason.CONNECT)
        text = (
            f"vllm:num_requests_waiting {waiting}\nvllm:generation_tokens_total {tokens.pop(0)}\n"
        )
        return exchange(text.encode())

    world = World(answer, took_seconds=5)
    agent = world.agent(chat(native=Native(url="http://h/metrics", server="vllm")))
    await agent.run_once()
    assert agent.record.state(world.now) is state
    assert agent.record.last is not None
    assert agent.record.last.reason is Reason.TIMEOUT_FIRST_TOKEN


async def test_another_model_is_believed_after_three_answers() -> None:
    """One answer of another model is no change; three in a row are one."""

    def of(model: str) -> Exchange:
        said = b'{"model":"%s","choices":[{"delta":{"content":"hi"}}]}' % model.encode()
        return exchange(event(said) + DONE)

    world = World(lambda _: of("a"))
    agent = world.agent(chat())
    changes = []
    for model in "abaabbb":
        world.answer = lambda _, name=model: of(name)  # type: ignore[misc]
        await agent.run_once()
        changes.append(agent.record.samples(world.now)[metrics.MODEL_CHANGES][0].value)
    assert changes == [0, 0, 0, 0, 0, 0, 1]
    assert agent.record.samples(world.now)[metrics.MODEL][0].labels[0] == ("served_model", "b")


async def test_changed_settings_keep_the_counters() -> None:
    """A reload with other settings goes on counting; canaries that are gone are forgotten."""
    world = World(lambda _: says("Paris"))
    agent = world.agent(chat(Canary(name="old", prompt="p", required=Required())))
    await agent.run_once()
    record = agent.record
    record.adopt(chat(Canary(name="new", prompt="p")), now=world.now)
    assert record.state(world.now) is State.UNKNOWN
    assert record.samples(world.now)[metrics.RUNS][0].value == 1
    await JuniorAgent(record, world.around).run_once()
    ratios = record.samples(world.now)[metrics.PASS_RATIO]
    assert [sample.labels for sample in ratios] == [(("canary", "new"),)]


async def test_failures_kept_are_ten_clean_and_masked() -> None:
    """Only the last ten are kept, newest first; what they show is cleaned and cut."""
    body = b"\x1b[31m\xe2\x80\xaeboom" + b"x" * 5000
    world = World(lambda _: exchange(body, status=500))
    agent = world.agent(http())
    for _ in range(12):
        await agent.run_once()
    failures = agent.record.failures
    assert len(failures) == 10
    assert failures[0].finished_timestamp_seconds > failures[-1].finished_timestamp_seconds
    assert failures[0].excerpt.startswith("boomx")
    assert len(failures[0].excerpt) == 500


async def test_native_name_that_has_gone_is_shown() -> None:
    """A page without a name sets its gauge, also in a short run; one with it sets it back."""
    lines = {"num_requests_running": 0, "num_requests_waiting": 0, "prompt_tokens_total": 1}
    world = World(lambda _: says("hi"), took_seconds=0)
    agent = world.agent(chat(native=Native(url="http://h/metrics", server="vllm")))

    def answer(request: Request) -> Exchange:
        page = "".join(f"vllm:{name} {value}\n" for name, value in lines.items())
        return exchange(page.encode()) if "metrics" in request.url else says("hi")

    world.answer = answer
    seen = []
    for _ in range(2):
        await agent.run_once()
        samples = agent.record.samples(world.now)[metrics.NATIVE_MISSING]
        seen.append({each.labels[0][1]: each.value for each in samples})
        lines["generation_tokens_total"] = 5
    assert [each["vllm:generation_tokens"] for each in seen] == [1, 0]
    assert [sum(each.values()) for each in seen] == [1, 0]


async def test_version_that_a_server_tells_is_shown() -> None:
    """It stands in the model's labels, and another one is another model."""
    record = TargetRecord(chat(), now=0)
    for version in "1222":
        record._model.hear(Observation(served_model="m", version=version))
    labels = record.samples(0)[metrics.MODEL][0].labels
    assert dict(labels) == {"served_model": "m", "fingerprint": "", "version": "2"}
    assert record.samples(0)[metrics.MODEL_CHANGES][0].value == 1


async def test_jitter_moves_no_due_time() -> None:
    """However chance falls, a run is at most a fortieth of an interval beside its grid."""
    falls = itertools.cycle((0.0, 1.0, 1.0, 1.0, 0.9))
    world = World(lambda _: exchange())
    world.around = replace(world.around, chance=lambda: next(falls))
    at = await runs_of(world, world.agent(http()), 2000)
    offsets = [seconds - at[0] - 10 * index for index, seconds in enumerate(at)]
    assert len(at) == 100
    assert max(offsets) == pytest.approx(0.25)
    assert min(offsets) == pytest.approx(-0.25)


async def test_a_long_answer_is_not_kept() -> None:
    """What only the checks read goes with the run; its excerpt and its figures stay."""
    world = World(lambda _: exchange(b"x" * 100_000))
    agent = world.agent(http())
    await agent.run_once()
    last = agent.record.last
    assert last is not None
    assert len(last.observation.answer) == 0
    assert last.excerpt.startswith("xxx")
    assert last.observation.status_code == 200
