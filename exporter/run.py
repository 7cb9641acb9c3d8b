"""One run: collect, preprocess, check; whatever goes wrong becomes its reason."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from exporter.check import examine_all
from exporter.probe import Question, probe_of
from exporter.swift import swift
from exporter.target import CheckResult, Exchange, Observation, Reason, Target
from exporter.transport import Transport
from exporter.wire.deadline import Deadline
from toolkit.secrets import SecretError

log = structlog.get_logger(__name__)

_GRACE_SECONDS = 5.0


@swift
@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What one run brought; `exchange` is None when it broke before one was made."""

    question: Question
    exchange: Exchange | None
    observation: Observation
    checks: tuple[CheckResult, ...]
    reason: Reason | None
    detail: str

    @property
    def over_limit(self) -> bool:
        """Whether a right answer exceeded a limit."""
        return any(not each.passed and each.reason is None for each in self.checks)


async def perform(target: Target, question: Question, transport: Transport) -> Run:
    """Ask once; raises only when cancelled.

    The transport keeps the target's timeout; the longer one here is for a defect of the kind. A
    request that is the same each time is sent without asking the kind.
    """
    exchange: Exchange | None = None
    probe = probe_of(target)
    try:
        if question.request is not None:
            exchange = await transport.exchange(question.request)
        else:
            with Deadline(target.timeout_seconds + _GRACE_SECONDS):
                exchange = await probe.collect(question, transport)
        observation = probe.preprocess(question, exchange)
        results = () if observation.reason else examine_all(question.checks, observation)
    except SecretError as error:
        return _broken(question, exchange, str(error))
    except Exception as error:  # a run ends in an outcome, whatever it meets
        log.exception("run broke", target=target.name)
        return _broken(question, exchange, f"the program's own fault ({type(error).__name__})")
    return _concluded(question, exchange, observation, results)


def _concluded(
    question: Question,
    exchange: Exchange,
    observation: Observation,
    results: tuple[CheckResult, ...],
) -> Run:
    reason, detail = observation.reason, observation.detail
    for result in results:
        if reason is None and result.reason is not None:
            # Half an answer is no wrong one: the limit is what to look at.
            reason = Reason.CUT_OFF if observation.cut_off else result.reason
        if not result.passed and not detail:
            detail = f"{result.check}: {result.detail}"
    if reason is Reason.CUT_OFF and observation.reason is None:
        detail = f"cut by the token limit; {detail}"
    return Run(
        question=question,
        exchange=exchange,
        observation=observation,
        checks=results,
        reason=reason,
        detail=detail,
    )


def _broken(question: Question, exchange: Exchange | None, detail: str) -> Run:
    return Run(
        question=question,
        exchange=exchange,
        observation=Observation(reason=Reason.INTERNAL, detail=detail),
        checks=(),
        reason=Reason.INTERNAL,
        detail=detail,
    )
