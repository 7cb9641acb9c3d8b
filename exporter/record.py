"""What is kept of one target: counters since the start, and the last run's measurements."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from exporter import metrics
from exporter.budget import TokenBudget, tokens_per_day
from exporter.check import checks
from exporter.dialect import Learnt
from exporter.excerpt import clean
from exporter.histogram import Histogram
from exporter.history import History, PastRun
from exporter.metrics import Family, Labels, Sample
from exporter.pace import next_interval_seconds
from exporter.probe import Question, probe_of, probes
from exporter.target import Exchange, Observation, Outcome, Reason, Skip, State, Target
from exporter.template import Key, key_of, pairs
from exporter.verdict import ANSWER_REASONS, is_under

_STALE_INTERVALS = 3
_CONFIRMATIONS = 3
_MODEL_CHARACTERS = 100
_PROMPT_FAMILIES = (metrics.FIRST_TOKEN, metrics.FIRST_ANSWER, metrics.PER_TOKEN)

_OTHERS = tuple(
    key_of(family)
    for family in (metrics.LAST_RUN, metrics.BUDGET_LEFT, metrics.BUDGET_SPENT, metrics.CHUNK_GAP)
)

Samples = Mapping[Family, tuple[Sample, ...]]


@dataclass(kw_only=True, slots=True)
class _Model:
    """The served model and the candidate that may replace it."""

    current: tuple[str, str, str] | None = None
    candidate: tuple[str, str, str] | None = None
    seen: int = 0
    changes: int = 0

    def hear(self, observation: Observation) -> None:
        """Note who says to have answered; another is believed after three answers in a row."""
        told = (observation.served_model, observation.fingerprint, observation.version)
        if not (observation.served_model or observation.version):
            return
        served, fingerprint, version = (_label(each or "") for each in told)
        heard = (served, fingerprint, version)
        if self.current is None or heard == self.current:
            self.current, self.candidate, self.seen = heard, None, 0
            return
        self.seen = self.seen + 1 if heard == self.candidate else 1
        self.candidate = heard
        if self.seen >= _CONFIRMATIONS:
            self.current, self.candidate, self.seen = heard, None, 0
            self.changes += 1


def _label(text: str) -> str:
    """Make outside text fit to be a label's value: clean, short, on one line."""
    return " ".join(clean(text, _MODEL_CHARACTERS).split())


class TargetRecord:
    """One target's figures; `version` rises with each change, so that renderings can be kept.

    `now` is monotonic seconds here; timestamps in outcomes are unix seconds.
    """

    def __init__(self, target: Target, *, now: float) -> None:
        self.target = target
        self.questions = probe_of(target).questions()
        self.budget = TokenBudget(tokens_per_day=tokens_per_day(target))
        self.interval_seconds = target.interval_seconds
        self.history = History()
        self.last: Outcome | None = None
        self.version = 0
        self.last_run_timestamp_seconds: float | None = None
        self._state = State.UNKNOWN
        self._finished_at = now
        self._counts: Counter[tuple[Family, str]] = Counter()
        self.histograms: dict[tuple[Family, str], Histogram] = {}
        """By family and the value of its label, where it has one."""
        self._canaries: dict[str, deque[bool]] = {}
        self._model = _Model()
        self._certificate_expiry: float | None = None
        self._retirement: float | None = None
        self._learnt = Learnt()
        self._native_absent: Mapping[str, bool] = {}
        self._counted: tuple[Key, ...] = ()
        self._start_from_zero()

    def adopt(self, target: Target, *, now: float) -> None:
        """Go on with changed settings of the same kind: counters stay, the state is unknown."""
        self.target = target
        self.questions = probe_of(target).questions()
        self.budget.tokens_per_day = tokens_per_day(target)
        self.interval_seconds = target.interval_seconds
        names = {question.canary for question in self.questions}
        self._canaries = {name: runs for name, runs in self._canaries.items() if name in names}
        self.last, self._state, self._finished_at = None, State.UNKNOWN, now
        self._native_absent = {}
        self._retirement, self._learnt = None, Learnt()
        self._start_from_zero()
        self.version += 1

    @property
    def _costs(self) -> bool:
        """Whether runs are counted against a budget."""
        return self._takes_tokens or self.budget.tokens_per_day is not None

    def _start_from_zero(self) -> None:
        self._takes_tokens = any(question.cost_tokens for question in self.questions)
        for family in (metrics.RUNS, metrics.FAILURES):
            self._counts[family, ""] += 0
        if self._costs:
            for reason in (Skip.BUDGET, Skip.TOTAL_BUDGET):
                self._counts[metrics.SKIPPED, reason] += 0
        for check in sorted({checks.kind_of(c) for q in self.questions for c in q.checks}):
            self._counts[metrics.CHECKS, check] += 0
            self._counts[metrics.CHECK_FAILURES, check] += 0
        self.histograms.setdefault((metrics.DURATION, ""), Histogram(metrics.DURATION.buckets))
        for prompt in sorted({q.prompt for q in self.questions if q.prompt is not None}):
            for family in _PROMPT_FAMILIES:
                self.histograms.setdefault((family, prompt), Histogram(family.buckets))
            for direction in ("prompt", "output"):
                self._counts[metrics.TOKENS, direction] += 0
        for question in self.questions:
            kept = deque(self._canaries.get(question.canary, ()), maxlen=question.required.among)
            self._canaries[question.canary] = kept

    def question(self, turn: int) -> Question:
        """Return what is asked at a turn, without what the server is known to refuse."""
        chosen = self.questions[turn % len(self.questions)]
        left_out = self._learnt.left_out
        return replace(chosen, left_out=left_out) if left_out else chosen

    def judge(self, question: Question, outcome_reason: object) -> None:
        """Count an answer for or against its canary; a run without an answer counts for none."""
        if outcome_reason is None or outcome_reason in ANSWER_REASONS:
            self._canaries[question.canary].append(outcome_reason is None)

    def under(self) -> tuple[bool, bool]:
        """Say whether any required canary is under its k of n, and whether any optional one is."""
        found = [False, False]
        for question in self.questions:
            runs, required = self._canaries[question.canary], question.required
            if is_under(runs, needed=required.needed, among=required.among):
                found[question.optional] = True
        return found[False], found[True]

    def hear_native(self, absent: Mapping[str, bool] | None) -> None:
        """Note which names the server's metrics lacked; None says that nobody looked."""
        if absent is not None and absent != self._native_absent:
            self.version += 1
            self._native_absent = absent

    @property
    def failures(self) -> Sequence[PastRun]:
        """The last failures, newest first."""
        return self.history.failures()

    def finish(self, outcome: Outcome, *, now: float, exchange: Exchange | None = None) -> None:
        """Record a finished run; of the exchange, its times are kept."""
        self.version += 1
        self.history.keep(outcome, exchange)
        self.last, self._state, self._finished_at = outcome, outcome.state, now
        self.interval_seconds = next_interval_seconds(
            self.target, self.interval_seconds, outcome.state
        )
        self.last_run_timestamp_seconds = outcome.finished_timestamp_seconds
        self._counts[metrics.RUNS, ""] += 1
        if outcome.reason is not None:
            self._counts[metrics.FAILURES, ""] += 1
            self._counts[metrics.REASONS, outcome.reason] += 1
        for result in outcome.checks:
            self._counts[metrics.CHECKS, result.check] += 1
            self._counts[metrics.CHECK_FAILURES, result.check] += not result.passed
        if outcome.certificate_expiry_timestamp_seconds is not None:
            self._certificate_expiry = outcome.certificate_expiry_timestamp_seconds
        seen = outcome.observation
        self._learnt.hear(seen)
        if seen.retirement_timestamp_seconds is not None or not seen.reason:
            self._retirement = seen.retirement_timestamp_seconds
        self._observe(outcome)
        self._model.hear(seen)

    def _observe(self, outcome: Outcome) -> None:
        seen, at = outcome.observation, outcome.finished_timestamp_seconds
        if outcome.reason is not Reason.INTERNAL:  # our own fault says nothing of the target
            self.histograms[metrics.DURATION, ""].observe(seen.duration_seconds, at)
        self._count_tokens(seen)
        if outcome.prompt is None:
            return
        values = (
            seen.first_token_seconds,
            seen.first_answer_seconds,
            seen.time_per_output_token_seconds,
        )
        for family, value in zip(_PROMPT_FAMILIES, values, strict=True):
            if value is not None:
                self.histograms[family, outcome.prompt].observe(value, at)

    def _count_tokens(self, seen: Observation) -> None:
        if seen.prompt_tokens is not None:
            self._counts[metrics.TOKENS, "prompt"] += seen.prompt_tokens
        if seen.output_tokens is not None:
            self._counts[metrics.TOKENS, "output"] += seen.output_tokens

    def skip(self, reason: Skip, *, now: float) -> None:
        """Record a run that was not made: nothing is known, and nothing failed."""
        self.version += 1
        self.last, self._state, self._finished_at = None, State.UNKNOWN, now
        self._counts[metrics.SKIPPED, reason] += 1

    def is_stale(self, now: float) -> bool:
        """Say whether no run finished for three intervals."""
        return now - self._finished_at > _STALE_INTERVALS * self.interval_seconds

    def state(self, now: float) -> State:
        """Return the state, unknown when it is stale."""
        return State.UNKNOWN if self.is_stale(now) else self._state

    def current(self, now: float) -> Outcome | None:
        """Return the last run while it may still be shown."""
        return None if self.is_stale(now) else self.last

    def samples(self, now: float) -> Samples:
        """Return every family's samples, the families of a last run only while it holds."""
        found: dict[Family, list[Sample]] = {}
        keys, values = self.figures(now)
        moved = [(*key, value) for key, value in zip(keys, values, strict=True)]
        for family, labels, value in (*self.facts(now), *moved):
            found.setdefault(family, []).append(Sample(value=value, labels=labels))
        for (family, label), histogram in self.histograms.items():
            found.setdefault(family, []).extend(histogram.samples(pairs(family, label)))
        return {family: tuple(samples) for family, samples in found.items()}

    def figures(self, now: float) -> tuple[tuple[Key, ...], Sequence[float]]:
        """Return the series that most runs move, but for the histograms, and their values."""
        last, budget = self.current(now), self.budget
        if len(self._counted) != len(self._counts):  # none ever goes
            self._counted = tuple(key_of(*counted) for counted in self._counts)
        keys = [*self._counted]
        values: list[float] = [*self._counts.values()]
        others = (
            self.last_run_timestamp_seconds,
            budget.remaining,
            budget.spent_tokens if self._costs else None,
            last.observation.chunk_gap_max_seconds if last else None,
        )
        for key, value in zip(_OTHERS, others, strict=True):
            if value is not None:
                keys.append(key)
                values.append(value)
        if last is not None:
            keys += [key_of(metrics.PHASE, phase) for phase in last.phases]
            values += last.phases.values()
            keys += [key_of(metrics.RATELIMIT, each) for each in last.ratelimit_remaining]
            values += last.ratelimit_remaining.values()
        return tuple(keys), values

    def settled(self, now: float) -> tuple[object, ...]:
        """Return what the facts are made of: as long as it is equal, so are they."""
        last, model = self.current(now), self._model
        return (
            self.target,
            self.state(now),
            self.interval_seconds,
            self._certificate_expiry,
            model.current,
            model.changes,
            self._retirement,
            self._learnt.left_out,
            self._native_absent,
            self.budget.tokens_per_day,
            last and (last.success, last.observation.stream_buffered, self._pass_ratios()),
        )

    def _pass_ratios(self) -> Sequence[tuple[str, float]]:
        return [(name, sum(runs) / len(runs)) for name, runs in self._canaries.items() if runs]

    def facts(self, now: float) -> Sequence[tuple[Family, Labels, float]]:
        """Return the series that a run seldom moves."""
        found: list[tuple[Family, Labels, float]] = []

        def add(family: Family, value: float | None, *labels: tuple[str, str]) -> None:
            if value is not None:
                found.append((family, labels, float(value)))

        self._add_facts(add, now)
        self._add_last(add, now)
        return found

    def _add_facts(self, add: _Add, now: float) -> None:
        target = self.target
        about = {"kind": probes.kind_of(target), "host": target.host, "model": target.model_name}
        own = {f"label_{name}": value for name, value in target.labels.items()}
        add(metrics.INFO, 1, *{**about, **own}.items())
        add(metrics.INTERVAL, self.interval_seconds)
        add(metrics.CERTIFICATE, self._certificate_expiry)
        state = self.state(now)
        for each in State:
            add(metrics.STATE, each is state, ("state", each))
        if self._model.current is not None:
            add(metrics.MODEL, 1, *zip(metrics.MODEL.labels, self._model.current, strict=True))
            add(metrics.MODEL_CHANGES, self._model.changes)
        if target.model_name:
            add(metrics.RETIREMENT, self._retirement, ("model", target.model_name))
        dialect = getattr(target, "dialect", None)
        if dialect is not None:
            learnt = (str(dialect), ",".join(sorted(self._learnt.left_out)))
            add(metrics.DIALECT, 1, *zip(metrics.DIALECT.labels, learnt, strict=True))
        for metric, absent in self._native_absent.items():
            add(metrics.NATIVE_MISSING, absent, ("metric", metric))
        add(metrics.BUDGET, self.budget.tokens_per_day)

    def _add_last(self, add: _Add, now: float) -> None:
        last = self.current(now)
        if last is None:
            return
        add(metrics.SUCCESS, last.success)
        add(metrics.BUFFERED, last.observation.stream_buffered)
        for canary, ratio in self._pass_ratios():
            if canary:
                add(metrics.PASS_RATIO, ratio, ("canary", canary))

    def measurements(self, now: float) -> Mapping[str, float]:
        """Return the last run's figures by name, none when it holds no longer."""
        last = self.current(now)
        return {} if last is None else measurements_of(last)


class _Add(Protocol):
    """Adds one series to those found."""

    def __call__(self, family: Family, value: float | None, *labels: tuple[str, str]) -> None: ...


def measurements_of(outcome: Outcome) -> dict[str, float]:
    """Return a run's figures by name, absent ones left out."""
    seen = outcome.observation
    figures = {
        "duration_seconds": seen.duration_seconds,
        "time_to_first_token_seconds": seen.first_token_seconds,
        "time_to_first_answer_seconds": seen.first_answer_seconds,
        "time_per_output_token_seconds": seen.time_per_output_token_seconds,
        "chunk_gap_max_seconds": seen.chunk_gap_max_seconds,
        "stream_buffered": seen.stream_buffered,
        "prompt_tokens": seen.prompt_tokens,
        "output_tokens": seen.output_tokens,
        "status_code": seen.status_code,
        **{f"phase_{name}_seconds": value for name, value in outcome.phases.items()},
    }
    return {name: float(value) for name, value in figures.items() if value is not None}


def in_order(records: Iterable[TargetRecord]) -> Sequence[TargetRecord]:
    """Return the records by target name."""
    return sorted(records, key=lambda record: record.target.name or "")
