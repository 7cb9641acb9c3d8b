"""Judges a soak: the schedule, the memory, every run's reason, and an orderly end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.soak.account import Account, Answered, answered
from lab.soak.memory import MEBIBYTE, Growth, Held, growth
from lab.soak.plan import Plan
from lab.soak.schedule import Arrivals, Schedule, schedule

MOST_DRIFT_RATIO = 0.01
"""How far the fleet may have moved off its grids by the end, in intervals."""

JITTER_RATIO = 0.05
"""Between the earliest and the latest that a run may be planned beside its grid, in intervals."""

LATE_SECONDS = 2.0
"""What a busy machine may add to that for any one run."""

MOST_GROWTH_RATIO = 0.03
"""How much memory may have grown over the time judged, beside what is held."""

MOST_STOP_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What was seen: the server's times of arrival, the exporter's account, and its process.

    Times are of one monotonic clock, those of samples seconds since `since`.
    """

    plan: Plan
    arrivals: Arrivals
    account: Account
    samples: Sequence[Held]
    since: float
    until: float
    cpu_seconds: float
    scrapes: int
    slowest_scrape_seconds: float
    stop_seconds: float

    @property
    def seconds(self) -> float:
        """How long it was watched."""
        return self.until - self.since

    @property
    def cores(self) -> float:
        """How many processors the exporter used."""
        return self.cpu_seconds / self.seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of it: `figures` by name, and `faults` for each promise that was not held."""

    figures: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[str] = ()

    @property
    def right(self) -> bool:
        """Whether every promise was held."""
        return not self.faults


def judge(evidence: Evidence) -> Verdict:
    """Hold every promise against what was seen."""
    behaviours = evidence.plan.behaviours()
    stamped = [name for name, does in behaviours.items() if does.is_stamped]
    kept = schedule(
        evidence.arrivals,
        stamped,
        interval_seconds=evidence.plan.interval_seconds,
        since=evidence.since,
        until=evidence.until,
    )
    arrived = {name: len(times) for name, times in evidence.arrivals.items()}
    said = answered(evidence.account, behaviours, arrived)
    # What fills up to a bound (the last failures, buffers) has done so by half of the time.
    held = growth(evidence.samples, since=evidence.seconds / 2)
    wanted = {does.reason for does in behaviours.values() if does.reason is not None}
    return Verdict(
        figures=_figures(evidence, kept, said, held),
        faults=(
            *_schedule_faults(evidence, kept),
            *_reason_faults(said, wanted),
            *_process_faults(evidence, held),
        ),
    )


def _figures(evidence: Evidence, kept: Schedule, said: Answered, held: Growth) -> Mapping[str, str]:
    account = evidence.account
    return {
        "targets, interval": f"{evidence.plan.targets}, {evidence.plan.interval_seconds:g} s",
        "watched": f"{evidence.seconds:.0f} s",
        "runs, of them of broken endpoints": f"{said.runs}, {said.faulty_runs}",
        "runs a second": f"{said.runs / evidence.seconds:.1f}",
        "different reasons": str(len(said.reasons)),
        "wrong reasons": str(said.wrong.total()),
        "drift of the schedule": f"{kept.drift_seconds * 1e3:+.1f} ms",
        "wander p99, most": f"{kept.wander_p99_seconds:.2f} s, {kept.wander_most_seconds:.2f} s",
        "runs missing": str(kept.missing),
        "start lag p50, p99": f"{account.late_seconds(0.5) * 1e3:.1f} ms,"
        f" {account.late_seconds(0.99) * 1e3:.1f} ms",
        "exporter's CPU": f"{evidence.cores:.3f} cores",
        "exporter's memory": f"{held.level_bytes / MEBIBYTE:.1f} MiB",
        "memory's slope": f"{held.bytes_per_minute / MEBIBYTE:+.2f} MiB a minute",
        "scrapes, slowest": f"{evidence.scrapes}, {evidence.slowest_scrape_seconds:.2f} s",
        "stopped after": f"{evidence.stop_seconds:.1f} s",
    }


def _schedule_faults(evidence: Evidence, kept: Schedule) -> Sequence[str]:
    interval = evidence.plan.interval_seconds
    wander_limit = interval * JITTER_RATIO + LATE_SECONDS
    found = []
    if abs(kept.drift_seconds) > interval * MOST_DRIFT_RATIO:
        found.append(f"the schedule drifted by {kept.drift_seconds:+.3f} s")
    if kept.wander_most_seconds > wander_limit:
        found.append(
            f"a schedule wandered by {kept.wander_most_seconds:.2f} s (limit {wander_limit:.2f} s)"
        )
    if kept.missing or evidence.account.dropped:
        found.append(f"{kept.missing} runs are missing, {evidence.account.dropped:g} left out")
    if kept.silent:
        found.append(f"{len(kept.silent)} targets never came, {kept.silent[0]} among them")
    return found


def _reason_faults(said: Answered, wanted: set[str]) -> Sequence[str]:
    found = [
        f"{count} runs of {name} ended in {reason}"
        for (name, reason), count in sorted(said.wrong.items())
    ]
    if said.unheard:
        found.append(f"{len(said.unheard)} targets have no run, {said.unheard[0]} among them")
    if said.apart:
        found.append(f"{len(said.apart)} targets' runs are not those that came: {said.apart[0]}")
    if wanted - said.reasons:
        found.append(f"never seen: {', '.join(sorted(wanted - said.reasons))}")
    return found


def _process_faults(evidence: Evidence, held: Growth) -> Sequence[str]:
    found = []
    if held.grown_bytes > held.level_bytes * MOST_GROWTH_RATIO:
        found.append(
            f"memory grew by {held.grown_bytes / MEBIBYTE:.1f} MiB,"
            f" {held.bytes_per_minute / MEBIBYTE:+.2f} MiB a minute"
        )
    if evidence.account.deaths:
        found.append(f"agents died {evidence.account.deaths:g} times")
    if evidence.stop_seconds > MOST_STOP_SECONDS:
        found.append(f"stopped only after {evidence.stop_seconds:.1f} s")
    return found
