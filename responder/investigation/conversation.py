"""A model's analysis as a course of turns: what was said, what is due, what comes out; pure.

It changes by journal entries alone, so that the same entries always lead to the same draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from responder.investigation.analyst import AnalystError, AnswerError, Brief, CeilingError
from responder.investigation.evidence import Evidence
from responder.investigation.model_reply import as_json
from responder.investigation.prompt import TOOL, ReportArguments, draft, fit, read
from responder.investigation.report import Draft, Refutation, Spend
from responder.investigation.turns import (
    Answered,
    Asked,
    Ended,
    Entry,
    Looked,
    Result,
    Switched,
    Tried,
)

MOST_CORRECTIONS = 1


class Due(StrEnum):
    """What must happen next."""

    ASK = "ask"
    LOOK = "look"
    TRY = "try"
    GIVE_UP = "give up"
    """The model failed; the fallback goes on, or it ends."""
    DONE = "done"
    ENDED = "ended"


@dataclass(kw_only=True, slots=True)
class Conversation:
    """One analysis under way; `talk` is what the model has heard, the corrections apart."""

    brief: Brief
    model: str
    fallback_model: str | None
    turns: int
    talk: list[dict[str, Any]]
    due: Due = Due.ASK
    problem: str = ""
    answers: int = 0
    spend: Spend = field(default_factory=Spend)
    evidence: tuple[Evidence, ...] = ()
    results: list[Result] = field(default_factory=list)
    pending: tuple[Asked, ...] = ()
    submitted: ReportArguments | None = None
    _mending: list[dict[str, Any]] = field(default_factory=list)
    _corrections: int = 0
    _calls: int = 0
    _unoffered: int = 0
    _limit: str = ""
    _refutations: tuple[Refutation, ...] = ()
    _notes: tuple[str, ...] = ()
    _is_ceiling: bool = False

    @property
    def heard(self) -> list[dict[str, Any]]:
        """The messages of the next request."""
        return [*self.talk, *self._mending]

    @property
    def seen(self) -> Brief:
        """The brief with all that was looked at since."""
        return replace(self.brief, evidence=(*self.brief.evidence, *self.evidence))

    @property
    def answered_calls(self) -> Mapping[str, Result]:
        """What came of each call that can be known again."""
        return {each.key: each for each in reversed(self.results) if each.key and each.evidence}

    @property
    def turns_left(self) -> int:
        """How many answers there may be; a correction is none."""
        return self.turns - self.answers

    def take(self, entry: Entry) -> None:
        """Go on by one entry."""
        match entry:
            case Answered():
                self._answered(entry)
            case Looked():
                self._looked(entry)
            case Tried():
                self.evidence += entry.evidence
                self._refutations += (entry.refutation,)
                self.due = Due.DONE
            case Switched():
                self._switched(entry)
            case Ended():
                self.due, self.problem, self.spend = Due.ENDED, entry.problem, entry.spend
                self._is_ceiling = entry.is_ceiling

    def _answered(self, entry: Answered) -> None:
        self.spend, self._limit, self.problem = entry.spend, entry.limit, ""
        called = next((each for each in entry.calls if each.name == TOOL), None)
        if called is None and entry.calls and not entry.limit:
            self.answers += 1
            self.pending, self.due = entry.calls, Due.LOOK
            return
        if called is None:
            self._unoffered += len(entry.calls)
        try:
            self.submitted = fit(_report(called, entry.finish_reason), self.seen)
        except AnalystError as error:
            self._mend(called, str(error))
            return
        self.answers += 1
        self.due = Due.DONE if self.submitted.refutation is None else Due.TRY

    def _mend(self, called: Asked | None, problem: str) -> None:
        """Hand an answer that cannot be read back, or give the model up."""
        self.problem = problem
        if self._corrections >= MOST_CORRECTIONS:
            self.due = Due.GIVE_UP
            return
        self._corrections += 1
        given = None if called is None else called.arguments
        said = f"{problem}; call {TOOL} again with arguments that fit its schema"
        self._mending = list(self._exchange([(TOOL, given, said)]))
        self.due = Due.ASK

    def _looked(self, entry: Looked) -> None:
        both = zip(self.pending, entry.results, strict=False)
        self.talk += self._exchange((a.name, a.arguments, r.text) for a, r in both)
        self.results += entry.results
        self.evidence += entry.evidence
        self._mending, self._corrections, self.pending = [], 0, ()
        self.due = Due.ASK

    def _switched(self, entry: Switched) -> None:
        note = f"{self.model}: {entry.problem}; {self.fallback_model} wrote instead"
        self._notes += (note,)
        self.model, self.fallback_model = self.fallback_model or self.model, None
        self._mending, self._corrections, self.due = [], 0, Due.ASK

    def _exchange(
        self, calls: Iterator[tuple[str, Any, str]] | Sequence[tuple[str, Any, str]]
    ) -> Iterator[dict[str, Any]]:
        """Write calls and their results as messages, under ids of our own.

        Nine letters or digits, as Mistral wants them; other servers take any, and give some that
        others refuse. Whatever follows a result is the model's turn, in every dialect.
        """
        named = []
        for name, given, said in calls:
            self._calls += 1
            named.append((f"vigie{self._calls:04d}", name, as_json(given), said))
        made = [
            {"id": i, "type": "function", "function": {"name": name, "arguments": given}}
            for i, name, given, _ in named
        ]
        yield {"role": "assistant", "content": "", "tool_calls": made}
        for identity, name, _, said in named:
            yield {"role": "tool", "tool_call_id": identity, "name": name, "content": said}

    def outcome(self) -> Draft:
        """Give what came out once it is done; raises AnalystError where that is no report."""
        if self.submitted is None or self.due is Due.ENDED:
            kind = CeilingError if self._is_ceiling else AnalystError
            failure = kind(self.problem, self.spend)
            failure.evidence = self.evidence
            raise failure
        written = draft(
            self.submitted, self.seen, analyst=f"mistral ({self.model})", spend=self.spend
        )
        return written.model_copy(
            update={
                "evidence": self.evidence,
                "refutations": self._refutations,
                "partial": bool(self._limit and self.evidence),
                "notes": (*written.notes, *self._notes, *self._remarks()),
            }
        )

    def _remarks(self) -> Iterator[str]:
        if self._limit and self.evidence:
            yield f"the model was asked to report before it had done: {self._limit}"
        refused = sum(each.outcome == "refused" for each in self.results) + self._unoffered
        if refused:
            yield f"refused: {refused} calls of tools that the model was not offered"


def _report(called: Asked | None, finish_reason: str) -> ReportArguments:
    if finish_reason == "length":
        raise AnswerError("the answer was cut by the token limit; raise max_output_tokens")
    if called is None:
        raise AnswerError(f"the model did not call {TOOL}")
    return read(called.arguments)
