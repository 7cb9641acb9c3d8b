"""One analyst's report on one recorded incident, held against the truth and read again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from responder.evaluation.reports.recorded import Recorded
from responder.investigation.analyst import Analyst, AnalystError, AnswerError
from responder.investigation.compose import Stamp, compose
from responder.investigation.evidence import CauseKind, Evidence
from responder.investigation.report import Report, Spend
from responder.investigation.stages import by_code, with_failure
from toolkit.rereading import unfounded


class Outcome(StrEnum):
    """Who wrote what leads the report.

    `own`: the analyst; `by_code`: code, since what the analyst wrote was not borne out; `unread`:
    code, since the analyst gave no report that can be read; `unreached`: code, since the network,
    the server or the time failed, which says nothing of the analyst.
    """

    OWN = "own"
    BY_CODE = "by_code"
    UNREAD = "unread"
    UNREACHED = "unreached"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What came of it; `seconds` from the brief to the report, `false_claims` what was not found.

    `is_right`: the report's first cause is the true one; `is_own_right`: so was the analyst's own.
    """

    case: str
    outcome: Outcome
    named: str
    is_right: bool
    is_own_right: bool
    claims: int
    unverified: int
    false_claims: tuple[str, ...]
    spend: Spend
    seconds: float
    problem: str = ""


async def tried(case: Recorded, analyst: Analyst, clock: Callable[[], float]) -> Trial:
    """Have the analyst report on a case; never raises for what it does."""
    began, problem, failure = time.perf_counter(), "", None
    started_at = clock()
    try:
        draft = await analyst.analyse(case.brief)
    except AnalystError as error:
        failure, problem = error, str(error)
        draft = by_code(case.brief, error.evidence, error.spend, [with_failure(error)])
    brief = replace(case.brief, evidence=(*case.brief.evidence, *draft.evidence))
    stamp = Stamp(report_id="trial", started_at=started_at, now=clock())
    report = compose(brief, draft, case.disproofs, stamp)
    first = draft.causes[0] if draft.causes else None
    verified, unverified = _counted(report)
    return Trial(
        case=case.name,
        outcome=_outcome(failure, report),
        named=f"{report.causes[0].component}, {report.causes[0].kind}",
        is_right=_is_right(case, report.causes[0].component, report.causes[0].kind),
        is_own_right=first is not None and _is_right(case, first.component, first.kind),
        claims=verified + unverified,
        unverified=unverified,
        false_claims=_false(report, brief.evidence),
        spend=draft.spend,
        seconds=time.perf_counter() - began,
        problem=problem,
    )


def _outcome(failure: AnalystError | None, report: Report) -> Outcome:
    if isinstance(failure, AnswerError):
        return Outcome.UNREAD
    if failure is not None:
        return Outcome.UNREACHED
    is_by_code = any(each.endswith("code's ranking leads") for each in report.notes)
    return Outcome.BY_CODE if is_by_code else Outcome.OWN


def _is_right(case: Recorded, component: str, kind: CauseKind) -> bool:
    is_open = case.is_undecided and kind is CauseKind.UNKNOWN
    return component == case.component and (kind is case.kind or is_open)


def _counted(report: Report) -> tuple[int, int]:
    verified = sum(len(each.claims) for each in report.causes)
    verified += len(report.summary) + len(report.ruled_out)
    return verified, len(report.unverified)


def _false(report: Report, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Read the report again with what knows nothing of how it was grounded."""
    plain = [each.model_dump(mode="json") for each in evidence]
    return tuple(unfounded(report.model_dump(mode="json"), {each["id"]: each for each in plain}))
