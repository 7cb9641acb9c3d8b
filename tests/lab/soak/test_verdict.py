"""The soak's verdict: a promise that was not held is a fault, whatever the others are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from lab.soak.account import Account
from lab.soak.memory import MEBIBYTE, Held, growth
from lab.soak.plan import Plan, name_of
from lab.soak.verdict import Evidence, judge

PLAN = Plan(targets=460, interval_seconds=10.0, timeout_seconds=2.0)
SECONDS = 100.0


def held(per_second: float = 0.0) -> list[Held]:
    """Give memory that grows by so many MiB a second, with a peak now and then."""
    return [
        Held(
            at=float(at),
            rss_bytes=int((100 + per_second * at + (30 if at % 15 == 0 else 0)) * MEBIBYTE),
        )
        for at in range(int(SECONDS))
    ]


def evidence() -> Evidence:
    """Give what a soak looks like in which everything holds."""
    behaviours = PLAN.behaviours()
    return Evidence(
        plan=PLAN,
        arrivals={
            name_of(number): [number / 50 + 10.0 * run for run in range(10)]
            for number in range(PLAN.targets)
            if behaviours[name_of(number)].is_stamped
        },
        account=Account(
            runs=Counter(dict.fromkeys(behaviours, 10)),
            reasons={
                n: Counter({does.reason: 10}) for n, does in behaviours.items() if does.reason
            },
            lateness={0.001: 4600, float("inf"): 4600},
        ),
        samples=held(),
        since=0.0,
        until=SECONDS,
        cpu_seconds=10.0,
        scrapes=5,
        slowest_scrape_seconds=0.5,
        stop_seconds=1.0,
    )


def faults(**changed: object) -> str:
    """Give the faults when something is otherwise."""
    return "; ".join(judge(replace(evidence(), **changed)).faults)  # type: ignore[arg-type]


def test_all_held() -> None:
    """A soak without a fault is right, and tells its figures."""
    verdict = judge(evidence())
    assert verdict.right, verdict.faults
    assert verdict.figures["wrong reasons"] == "0"
    assert verdict.figures["exporter's CPU"] == "0.100 cores"


def test_drift_is_a_fault() -> None:
    """Runs that come 20 ms later each time have moved by 0.2 s in the end."""
    late = {
        name: [at + 0.02 * run for run, at in enumerate(times)]
        for name, times in evidence().arrivals.items()
    }
    assert "the schedule drifted by +0.200 s" in faults(arrivals=late)


def test_one_schedule_that_wanders_is_a_fault() -> None:
    """One run that is three seconds late in a fleet that is not."""
    arrivals = {name: list(times) for name, times in evidence().arrivals.items()}
    arrivals[name_of(0)][5] += 3.0
    assert "wandered by 3.00 s (limit 2.50 s)" in faults(arrivals=arrivals)


def test_missing_runs_and_silent_targets_are_faults() -> None:
    """A run that did not come, a target that never came, a run that the exporter left out."""
    arrivals = {name: list(times) for name, times in evidence().arrivals.items()}
    del arrivals[name_of(1)][5]
    arrivals[name_of(2)] = []
    told = faults(arrivals=arrivals, account=replace(evidence().account, dropped=2))
    assert "1 runs are missing, 2 left out" in told
    assert "1 targets never came, soak-00002" in told


def test_a_wrong_reason_is_a_fault() -> None:
    """A healthy endpoint's failure is told by its name; a reason that is never seen as well."""
    account = evidence().account
    account.reasons[name_of(0)] = Counter({"internal": 1})
    account.reasons[name_of(19)] = Counter({"connect": 10})  # the fault without a name
    told = faults(account=account)
    assert "1 runs of page ended in internal" in told
    assert "10 runs of no-name ended in connect" in told
    assert "never seen: dns" in told


@pytest.mark.parametrize(("per_second", "grows"), [(0.0, False), (0.02, False), (0.2, True)])
def test_growing_memory_is_a_fault(per_second: float, *, grows: bool) -> None:
    """What grows by a tenth in half of the time is told; peaks and a little are not."""
    assert ("memory grew" in faults(samples=held(per_second))) is grows


def test_growth_is_of_the_line_through_the_samples() -> None:
    """The slope is per minute; too few samples are no answer."""
    found = growth(held(0.1), since=50.0)
    assert found.bytes_per_minute / MEBIBYTE == pytest.approx(6.0, rel=0.05)
    assert found.grown_bytes / MEBIBYTE == pytest.approx(4.9, rel=0.05)
    with pytest.raises(ValueError, match="watch for longer"):
        growth(held(), since=98.5)


def test_dead_agents_and_a_slow_stop_are_faults() -> None:
    """An agent that died is a defect, and so is a program that does not end in time."""
    told = faults(account=replace(evidence().account, deaths=1), stop_seconds=11.0)
    assert "agents died 1 times" in told
    assert "stopped only after 11.0 s" in told
