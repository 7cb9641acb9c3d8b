"""The exporter's own account, read from its metrics, beside what each endpoint did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.soak.faults import Behaviour

_SAMPLE = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_READ = (
    "vigie_probes_total",
    "vigie_probe_failure_reasons_total",
    "vigie_exporter_run_lateness_seconds",
    "vigie_exporter_runs_dropped_total",
    "vigie_exporter_agent_deaths_total",
)


@dataclass(kw_only=True, slots=True)
class Account:
    """What the exporter says: runs and reasons of each target, and how it fared itself.

    `lateness` holds the cumulative count of runs that began at most so many seconds late.
    """

    runs: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    lateness: dict[float, float] = field(default_factory=dict)
    dropped: float = 0
    deaths: float = 0

    def reasons_of(self, target: str) -> Counter[str]:
        """Give how often a target's runs failed, by reason."""
        return self.reasons.get(target, Counter())

    def late_seconds(self, share: float) -> float:
        """Give a quantile of the starts' lateness, between two bounds in proportion to them.

        Infinite where it is over the last bound.
        """
        bounds = sorted(self.lateness.items())
        wanted = share * (bounds[-1][1] if bounds else 0.0)
        under, before = 0.0, 0.0
        for bound, count in bounds:
            if count >= wanted > before:
                part = (wanted - before) / (count - before)
                return bound if bound == float("inf") else under + part * (bound - under)
            under, before = bound, count
        return 0.0


def read(lines: Iterable[str]) -> Account:
    """Read the text format."""
    account = Account()
    for line in lines:
        found = _SAMPLE.match(line) if line.startswith(_READ) else None
        if found is not None:
            labels = dict(_LABEL.findall(found["labels"] or ""))
            _take(account, found["name"], labels, float(found["value"]))
    return account


def _take(account: Account, name: str, labels: Mapping[str, str], value: float) -> None:
    target = labels.get("target", "")
    match name:
        case "vigie_probes_total":
            account.runs[target] = int(value)
        case "vigie_probe_failure_reasons_total":
            account.reasons.setdefault(target, Counter())[labels["reason"]] = int(value)
        case "vigie_exporter_run_lateness_seconds_bucket":
            account.lateness[float(labels["le"])] = value
        case "vigie_exporter_runs_dropped_total":
            account.dropped = value
        case "vigie_exporter_agent_deaths_total":
            account.deaths = value
        case _:
            pass


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """How the runs ended: `wrong` counts those by what was meant and what was said.

    `unheard` are targets without a run, `apart` those whose runs are not as many as arrived.
    """

    runs: int
    faulty_runs: int
    reasons: frozenset[str]
    wrong: Counter[tuple[str, str]]
    unheard: Sequence[str]
    apart: Sequence[str]


def answered(
    account: Account, behaviours: Mapping[str, Behaviour], arrived: Mapping[str, int]
) -> Answered:
    """Hold every target's runs against what it did."""
    wrong: Counter[tuple[str, str]] = Counter()
    for name, does in behaviours.items():
        wrong += _wrong(account.runs[name], account.reasons_of(name), does)
    faulty = [name for name, does in behaviours.items() if does.reason is not None]
    return Answered(
        runs=account.runs.total(),
        faulty_runs=sum(account.runs[name] for name in faulty),
        reasons=frozenset(
            reason for name in faulty for reason in account.reasons_of(name).elements()
        ),
        wrong=wrong,
        unheard=[name for name in behaviours if not account.runs[name]],
        # One run may be under way, or have ended, between the two looks.
        apart=[
            name
            for name, does in behaviours.items()
            if does.is_stamped and abs(account.runs[name] - arrived.get(name, 0)) > 1
        ],
    )


def _wrong(runs: int, reasons: Counter[str], does: Behaviour) -> Counter[tuple[str, str]]:
    """Count the runs that ended in another way than meant, a right answer as `ok`."""
    said = reasons + Counter({"ok": runs - reasons.total()})
    meant = does.reason or "ok"
    return Counter({(does.name, each): n for each, n in said.items() if each != meant and n > 0})
