"""The junior agent: collect, preprocess, check, record, on its own interval."""

from __future__ import annotations

import asyncio
import random
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import structlog

from exporter.budget import Hold, Ledger, cost_tokens
from exporter.excerpt import EXCERPT_CHARACTERS, excerpt, secrets_of
from exporter.instruments import Instruments
from exporter.native.watch import Watch
from exporter.probe import Question
from exporter.ratelimit import remaining_ratios
from exporter.record import TargetRecord
from exporter.run import Run, perform
from exporter.target import CheckResult, Observation, Outcome, Skip, State
from exporter.transport import Transport
from exporter.verdict import LATE_REASONS, NativeView, Seen, judge

log = structlog.get_logger(__name__)

_JITTER_RATIO = 0.05
MOST_SKIPS = 2
_WATCH_RATIO = 1 / 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What all agents share; clocks, sleep and chance are given, so that tests own them."""

    transport: Transport
    instruments: Instruments
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = field(default=random.random)
    ledger: Ledger = field(default_factory=Ledger)


class JuniorAgent:
    """Watches one target and keeps its record."""

    def __init__(self, record: TargetRecord, around: Surroundings) -> None:
        self.record = record
        self._around = around
        self._turn = 0
        self._skipped_in_a_row = 0

    @property
    def name(self) -> str:
        """The target's name."""
        return self.record.target.name or ""

    async def work(self) -> None:
        """Run at each interval, until cancelled; the start is spread over the first interval.

        Jitter moves a run beside its due time and never the due times themselves, so that agents
        stay spread however long they work.
        """
        around, record = self._around, self.record
        planned = due = around.clock() + record.interval_seconds * spread(self.name)
        while True:
            await around.sleep(max(0.0, planned - around.clock()))
            around.instruments.lateness.observe(max(0.0, around.clock() - planned))
            await self.run_once()
            interval = record.interval_seconds  # of now: the run may have changed it
            due += interval
            # A run that is late starts at once; one that is late by an interval is left out.
            missed = int(max(0.0, around.clock() - due) // interval)
            if missed:
                around.instruments.dropped.inc(missed)
                due += interval * missed
            planned = due + interval * _JITTER_RATIO * (around.chance() - 0.5)

    async def run_once(self) -> None:
        """Make one run and record it, or record that it was skipped."""
        record, around = self.record, self._around
        watch = self._watch()
        question = record.question(self._turn)
        held = await self._admit(question, watch)
        if isinstance(held, Skip):
            self._skipped_in_a_row += 1
            record.skip(held, now=around.clock())
            return
        self._skipped_in_a_row = 0
        self._turn += 1
        if watch is None:
            run, native = await perform(record.target, question, around.transport), None
        else:
            run, native = await self._watched(question, watch)
        cost = cost_tokens(question, run.exchange, run.observation)
        around.ledger.settle(held, cost, around.wall_clock())
        record.judge(question, run.reason)
        required_under, optional_under = record.under()
        state, why = judge(
            Seen(
                reason=run.reason,
                over_limit=run.over_limit,
                buffered=bool(run.observation.stream_buffered),
                required_under=required_under,
                optional_under=optional_under,
                retry_after=run.observation.retry_after_seconds is not None,
                native=native,
            )
        )
        now = around.clock()
        before = record.state(now)
        outcome = self._outcome(run, state, why)
        record.finish(outcome, now=now, exchange=run.exchange)
        around.instruments.heard(run.exchange)
        if state is not before:
            log.info("state changed", target=self.name, state=state, before=before)

    def _watch(self) -> Watch | None:
        target = self.record.target
        if target.native is None:
            return None
        return Watch(
            native=target.native,
            transport=self._around.transport,
            clock=self._around.clock,
            period_seconds=target.timeout_seconds * _WATCH_RATIO,
        )

    async def _admit(self, question: Question, watch: Watch | None) -> Hold | Skip:
        """Set the run's cost aside, or say why no run is made now."""
        around = self._around
        held = around.ledger.hold(question.cost_tokens, around.wall_clock(), self.record.budget)
        if isinstance(held, Skip) or watch is None or not await self._must_wait(watch):
            return held
        around.ledger.settle(held, 0, around.wall_clock())
        return Skip.WAITING

    async def _must_wait(self, watch: Watch) -> bool:
        """Say whether too many requests wait; the queue is looked at only where a limit is set."""
        budget = self.record.target.budget
        if budget is None or budget.skip_if_waiting_over is None:
            return False
        if self._skipped_in_a_row >= MOST_SKIPS:
            # A queue before a server that hangs never shortens: only a run tells the two apart.
            return False
        waiting = (await watch.look()).waiting
        return (waiting or 0) > budget.skip_if_waiting_over

    async def _watched(self, question: Question, watch: Watch) -> tuple[Run, NativeView | None]:
        """Make the run, looking at the native metrics meanwhile."""
        target, transport = self.record.target, self._around.transport
        looking = asyncio.create_task(watch.keep_looking(), name=f"native:{self.name}")
        try:
            run = await perform(target, question, transport)
            await watch.looked()
        finally:
            looking.cancel()
            await asyncio.wait({looking})  # unlike `await looking`, tells our cancellation from its
        native = await watch.conclude() if run.reason in LATE_REASONS else None
        self.record.hear_native(watch.absent())
        return run, native

    def _outcome(self, run: Run, state: State, why: str) -> Outcome:
        return outcome_of(
            run,
            state=state,
            why=why,
            finished_timestamp_seconds=self._around.wall_clock(),
            secrets=secrets_of(self.record.target),
        )


def outcome_of(
    run: Run, *, state: State, why: str, finished_timestamp_seconds: float, secrets: tuple[str, ...]
) -> Outcome:
    """Make the record of a run; its texts are cleaned and masked."""
    exchange = run.exchange
    seen = run.observation
    text = seen.complaint or seen.answer or seen.reasoning
    return Outcome(
        canary=run.question.canary,
        prompt=run.question.prompt,
        finished_timestamp_seconds=finished_timestamp_seconds,
        observation=_kept(run.observation),
        reason=run.reason,
        state=state,
        checks=tuple([_shown(each, secrets) for each in run.checks]),
        phases={} if exchange is None else exchange.times.phases(),
        certificate_expiry_timestamp_seconds=(
            None if exchange is None else exchange.certificate_expiry_timestamp_seconds
        ),
        ratelimit_remaining={} if exchange is None else remaining_ratios(exchange.headers),
        detail=excerpt(run.detail, secrets),
        excerpt=excerpt(text, secrets),
        why=why,
    )


def _kept(seen: Observation) -> Observation:
    """Return an observation without what only the checks read: an answer may be a megabyte long.

    It is kept for each target until the next run, and ten times over for one that fails.
    """
    characters = len(seen.answer) + len(seen.reasoning) + len(seen.complaint)
    if characters <= EXCERPT_CHARACTERS and seen.document is None and seen.vector is None:
        return seen
    return replace(seen, answer="", reasoning="", complaint="", document=None, vector=None)


def _shown(result: CheckResult, secrets: tuple[str, ...]) -> CheckResult:
    """Return a check's result with its detail fit to show."""
    return replace(result, detail=excerpt(result.detail, secrets)) if result.detail else result


def spread(name: str) -> float:
    """Return the part of an interval after which a target starts, the same at every start."""
    return zlib.crc32(name.encode()) / 2**32
