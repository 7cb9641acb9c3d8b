"""What the responder delivers: claims, causes, decision and report, and how they are composed."""

from __future__ import annotations

from enum import StrEnum

from responder.investigation.evidence import CauseKind, Evidence, Record, Status


class Standing(StrEnum):
    """What grounding made of a claim."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"


class Confidence(StrEnum):
    """How sure code allows a cause to be."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class DecisionKind(StrEnum):
    """What code decides to do about an incident."""

    PAGE = "page"
    TICKET = "ticket"
    WATCH = "watch"
    EXPECTED = "expected"


class Claim(Record):
    """One statement and the evidence it cites; `problem` says why it is unverified."""

    text: str
    evidence: tuple[str, ...]
    standing: Standing = Standing.UNVERIFIED
    problem: str = ""


class Cause(Record):
    """One candidate root cause with the claims that carry it."""

    component: str
    kind: CauseKind
    confidence: Confidence
    claims: tuple[Claim, ...]


class Moment(Record):
    """One entry of the timeline, in seconds since the epoch."""

    at: float
    text: str
    evidence: tuple[str, ...] = ()


class Action(Record):
    """One next step; `source` is a runbook's name or `unverified`."""

    text: str
    source: str


class Impact(Record):
    """Who is affected, who was seen healthy, and what was not checked."""

    affected: tuple[str, ...] = ()
    healthy: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()


class Coverage(Record):
    """One line of the ledger: what was asked and what came of it."""

    source: str
    title: str
    status: Status
    detail: str = ""
    evidence: str = ""


class Decision(Record):
    """What code decided, and why."""

    kind: DecisionKind
    reasons: tuple[str, ...]
    escalation: str = ""
    proposed_silence: str = ""


class Spend(Record):
    """What the analysis cost; `price` is None where no price is configured."""

    model: str = ""
    prompt_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    price: float | None = None
    currency: str = ""


class Refutation(Record):
    """What would refute a cause by its own analyst's word, and what came of asking.

    `held` says that the cause stood it; None that it could not be asked.
    """

    component: str
    kind: CauseKind
    question: str
    held: bool | None
    evidence: str = ""
    text: str = ""


class Draft(Record):
    """What an analyst proposes; every part is a claim until code has read it again.

    `partial` says that a limit cut the analysis; `notes` are plain remarks for the reader
    ("model did not answer in 20 s; written from code alone"). `evidence` is what the analyst looked
    at beyond its brief.
    """

    analyst: str
    headline: str
    summary: tuple[Claim, ...]
    causes: tuple[Cause, ...]
    ruled_out: tuple[Claim, ...] = ()
    actions: tuple[Action, ...] = ()
    partial: bool = False
    notes: tuple[str, ...] = ()
    spend: Spend = Spend()
    evidence: tuple[Evidence, ...] = ()
    refutations: tuple[Refutation, ...] = ()


class Report(Record):
    """The stored and delivered report."""

    id: str
    incident: str
    created_at: float
    headline: str
    summary: tuple[Claim, ...]
    impact: Impact
    causes: tuple[Cause, ...]
    timeline: tuple[Moment, ...]
    ruled_out: tuple[Claim, ...]
    unverified: tuple[Claim, ...]
    actions: tuple[Action, ...]
    coverage: tuple[Coverage, ...]
    decision: Decision
    analyst: str
    partial: bool
    notes: tuple[str, ...]
    spend: Spend
    seconds: float
