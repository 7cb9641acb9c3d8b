"""A generation engine with continuous batching: a queue, a batch limit, one token a step for each.

The arithmetic takes the time from its caller; the loop that sleeps is in `lab.components.chat`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

FinishReason = Literal["stop", "length", "abort", "error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What the accelerator can do.

    A step costs `step_seconds` times `slowdown_ratio`, plus `sequence_seconds` for each sequence
    in it; a prompt costs `prefill_seconds` and `prompt_token_seconds` for each of its tokens, then
    `prefill_extra_seconds`. Prompts are read beside the steps (chunked prefill) and do not slow
    them.
    """

    batch_limit: int = 32
    queue_limit: int = 512
    cache_tokens: int = 4096
    step_seconds: float = 0.0125
    sequence_seconds: float = 0.0015
    slowdown_ratio: float = 1.0
    prefill_seconds: float = 0.034
    prompt_token_seconds: float = 0.0001
    prefill_extra_seconds: float = 0.0

    def step(self, sequences: int) -> float:
        """Return the seconds of one step over this many sequences."""
        return self.step_seconds * self.slowdown_ratio + self.sequence_seconds * sequences

    def prefill(self, prompt_tokens: int) -> float:
        """Return the seconds from a prompt's admission to its first token."""
        reading = self.prefill_seconds + self.prompt_token_seconds * prompt_tokens
        return reading + self.prefill_extra_seconds


@dataclass(kw_only=True, slots=True, eq=False)
class Generation:
    """One request inside the engine; times are seconds of the engine's clock."""

    answer: Sequence[str]
    prompt_tokens: int
    ends: FinishReason = "stop"
    fail_after: int | None = None
    arrived_seconds: float = 0.0
    admitted_seconds: float | None = None
    first_token_due_seconds: float = 0.0
    produced: int = 0
    finish: FinishReason | None = None
    last_token_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Emission:
    """One token of one sequence; `token` is None when the sequence failed instead."""

    sequence: Generation
    token: str | None
    first: bool
    last: bool
    gap_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """Tokens read and generated since the engine began."""

    prompt_tokens: int = 0
    generated_tokens: int = 0


@dataclass(kw_only=True, slots=True, eq=False)
class Engine:
    """Queue, running batch and clock arithmetic of one engine."""

    pace: Pace = field(default_factory=Pace)
    totals: Totals = field(default_factory=Totals)
    _waiting: deque[Generation] = field(default_factory=deque)
    _reading: list[Generation] = field(default_factory=list)
    _decoding: list[Generation] = field(default_factory=list)
    _step_due_seconds: float | None = None

    @property
    def waiting(self) -> int:
        """How many requests wait for a place in the batch."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many requests hold a place in the batch."""
        return len(self._reading) + len(self._decoding)

    @property
    def full(self) -> bool:
        """Whether the queue takes no more."""
        return len(self._waiting) >= self.pace.queue_limit

    @property
    def cache_ratio(self) -> float:
        """How much of the key-value cache the running requests fill, 0 to 1."""
        held = sum(s.prompt_tokens + s.produced for s in (*self._reading, *self._decoding))
        return min(1.0, held / self.pace.cache_tokens)

    def submit(self, sequence: Generation, now: float) -> None:
        """Put a request at the end of the queue; it runs once a later `advance` admits it."""
        sequence.arrived_seconds = now
        self._waiting.append(sequence)

    def abort(self, sequence: Generation) -> None:
        """Forget a request whose client has gone; nothing happens when it had already ended."""
        if sequence.finish is not None:
            return
        sequence.finish = "abort"
        for held in (self._waiting, self._reading, self._decoding):
            if sequence in held:
                held.remove(sequence)

    def due(self) -> float | None:
        """Return when `advance` has something to do next: 0 for at once, None for nothing."""
        if self._waiting and self.running < self.pace.batch_limit:
            return 0.0
        times = [s.first_token_due_seconds for s in self._reading]
        if self._decoding and self._step_due_seconds is not None:
            times.append(self._step_due_seconds)
        return min(times, default=None)

    def advance(self, now: float) -> list[Emission]:
        """Do all that is due: one step of the batch, first tokens, admissions."""
        emissions = self._step(now)
        emissions += self._first_tokens(now)
        while self._waiting and self.running < self.pace.batch_limit:
            self._admit(self._waiting.popleft(), now)
        if not self._decoding:
            self._step_due_seconds = None
        elif self._step_due_seconds is None:
            self._step_due_seconds = now + self.pace.step(len(self._decoding))
        return emissions

    def _admit(self, sequence: Generation, now: float) -> None:
        sequence.admitted_seconds = now
        sequence.first_token_due_seconds = now + self.pace.prefill(sequence.prompt_tokens)
        self._reading.append(sequence)
        self.totals = replace(
            self.totals, prompt_tokens=self.totals.prompt_tokens + sequence.prompt_tokens
        )

    def _step(self, now: float) -> list[Emission]:
        if self._step_due_seconds is None or now < self._step_due_seconds:
            return []
        emissions = [self._emit(sequence, now) for sequence in self._decoding]
        self._decoding = [s for s in self._decoding if s.finish is None]
        cost = self.pace.step(len(self._decoding))
        # The next step is timed from when this one was due, so that a late wake-up does not slow
        # the engine; a wake-up later than a whole step is not caught up.
        self._step_due_seconds = max(self._step_due_seconds + cost, now)
        return emissions

    def _first_tokens(self, now: float) -> list[Emission]:
        ready = [s for s in self._reading if s.first_token_due_seconds <= now]
        if not ready:
            return []
        self._reading = [s for s in self._reading if s.first_token_due_seconds > now]
        emissions = [self._emit(sequence, now) for sequence in ready]
        self._decoding += [s for s in ready if s.finish is None]
        return emissions

    def _emit(self, sequence: Generation, now: float) -> Emission:
        gap = now - sequence.last_token_seconds if sequence.produced else 0.0
        sequence.last_token_seconds = now
        token: str | None = None
        if sequence.fail_after is not None and sequence.produced >= sequence.fail_after:
            sequence.finish = "error"
        else:
            token = sequence.answer[sequence.produced]
            sequence.produced += 1
            self.totals = replace(self.totals, generated_tokens=self.totals.generated_tokens + 1)
            if sequence.produced == len(sequence.answer):
                sequence.finish = sequence.ends
        return Emission(
            sequence=sequence,
            token=token,
            first=sequence.produced == 1 and token is not None,
            last=sequence.finish is not None,
            gap_seconds=gap,
        )
