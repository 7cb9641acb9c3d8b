"""Leads a model through its turns: asks, looks, tries to refute, each journalled before the next.

A process that was killed goes on with what is in the journal, and asks nobody again for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from responder.investigation.analyst import AnalystError, AnswerError, Brief
from responder.investigation.brief_record import brief_data
from responder.investigation.conversation import Conversation, Due
from responder.investigation.model_caller import Caller, Trail
from responder.investigation.model_reply import Answer, PassingError
from responder.investigation.model_settings import Clockwork, MistralSettings
from responder.investigation.prompt import messages
from responder.investigation.prompt import tool as report_tool
from responder.investigation.refuting import refuted
from responder.investigation.toolbox import Toolbox
from responder.investigation.turns import (
    Answered,
    Asked,
    Ended,
    Entry,
    Journal,
    Opening,
    Switched,
    Tried,
)
from responder.spend import Usage
from responder.store.engine import StoreError

log = structlog.get_logger(__name__)

FIRST_MODEL_SHARE = 0.6
LOOKING_SHARE = 0.6
"""Of the deadline: beyond it only the report is on offer."""
TOOLS_BYTES = 8000
GROWTH_BYTES = 8000
"""By how much one look lets the conversation grow, about."""
REFUTING_SHARE = 0.9


@dataclass(kw_only=True, slots=True)
class Loop:
    """One analysis; `written` is how many entries its journal has."""

    settings: MistralSettings
    caller: Caller
    toolbox: Toolbox | None
    journal: Journal
    clockwork: Clockwork
    trail: Trail
    conversation: Conversation
    began_at: float
    written: int = 0
    is_journalled: bool = True

    async def run(self) -> None:
        """Go on until it is done; raises AnalystError and PassingError for what ends it."""
        while self.conversation.due not in {Due.DONE, Due.ENDED}:
            await self._step()

    async def _step(self) -> None:
        match self.conversation.due:
            case Due.ASK:
                await self._ask()
            case Due.LOOK:
                await self._look()
            case Due.TRY:
                await self._try()
            case _:
                await self._give_up(AnswerError(self.conversation.problem))

    async def _ask(self) -> None:
        """Ask the model, and let the fallback go on where it fails for good."""
        talk = self.conversation
        limit = self._limit()
        tools = [report_tool()]
        if not limit and self.toolbox is not None:
            tools += self.toolbox.described()
        try:
            async with asyncio.timeout(self._share_seconds()):
                answer = await self.caller.answer(talk.model, talk.heard, tools, self.trail)
        except TimeoutError:
            if talk.fallback_model is None:
                raise
            self.caller.observe(talk.model, "timeout")
            share = FIRST_MODEL_SHARE * self.settings.deadline
            await self._give_up(AnalystError(self.trail.late(share)))
        except (AnalystError, PassingError) as error:
            if talk.fallback_model is None:
                raise
            await self._give_up(AnalystError(str(error)))
        else:
            await self._answered(answer, limit)

    async def _answered(self, answer: Answer, limit: str) -> None:
        talk = self.conversation
        calls = tuple(Asked(name=name[:64], arguments=_kept(given)) for name, given in answer.calls)
        model = talk.model
        await self._enter(
            Answered(
                model=model,
                calls=calls,
                finish_reason=answer.finish_reason[:40],
                spend=self.trail.spend,
                limit=limit,
            )
        )
        self.trail.problem = talk.problem
        self.caller.observe(model, "unreadable" if talk.problem else "ok")

    async def _look(self) -> None:
        talk = self.conversation
        if self.toolbox is None:
            raise AnswerError("the model called tools, and there are none")
        left = self.trail.ends_at - self.clockwork.clock()
        await self._enter(
            await self.toolbox.look(
                talk.pending,
                talk.answered_calls,
                talk.evidence,
                len(talk.results),
                max(0.1, left * LOOKING_SHARE),
            )
        )

    async def _try(self) -> None:
        """Ask what would refute the first cause; where there is no time, say that it was not."""
        talk = self.conversation
        if talk.submitted is None:
            raise AnswerError("nothing was submitted")
        left = self._ends_looking(REFUTING_SHARE) - self.clockwork.clock()
        bench = None if self.toolbox is None or left <= 0 else self.toolbox.bench
        if bench is not None:
            question = replace(bench.question, deadline_seconds=min(left, 5.0))
            bench = replace(bench, question=question, earlier=talk.evidence)
        refutation, evidence = await refuted(talk.submitted, bench)
        await self._enter(Tried(refutation=refutation, evidence=evidence))

    async def _give_up(self, failure: AnalystError) -> None:
        """Let the fallback go on; raises the failure where there is none."""
        talk, problem = self.conversation, str(failure)
        if talk.fallback_model is None:
            raise failure
        self.trail.problem = f"{talk.model}: {problem}"
        log.warning("model failed, fallback asked", model=talk.model, problem=problem)
        await self._enter(Switched(problem=problem))

    def _ends_looking(self, share: float) -> float:
        return self.began_at + share * self.settings.deadline

    def _share_seconds(self) -> float | None:
        """Give how long the first model has left, None where nobody waits behind it."""
        if self.conversation.fallback_model is None:
            return None
        share = self.began_at + FIRST_MODEL_SHARE * self.settings.deadline
        return max(0.0, share - self.clockwork.clock())

    def _limit(self) -> str:
        """Say why only the report is on offer now, empty where tools are."""
        if self.toolbox is None:
            return "no tool is of use"
        if self.conversation.turns_left <= 1:
            return f"its {self.settings.turns} turns are used up"
        if self.clockwork.clock() >= self._ends_looking(LOOKING_SHARE):
            return f"{LOOKING_SHARE:g} of its deadline is over"
        if self._is_dear():
            return "its ceiling would not hold another look"
        return ""

    def _is_dear(self) -> bool:
        """Say whether another look, and a report after it, might not fit under the ceilings."""
        settings, spend = self.settings, self.trail.spend
        ceiling = settings.ceilings.incident
        sent_bytes = len(json.dumps(self.conversation.heard)) + TOOLS_BYTES
        more = Usage(
            model=self.conversation.model,
            # What is sent is reserved as a token a byte, and settled as about a quarter of it.
            prompt_tokens=sent_bytes // 4 + sent_bytes + GROWTH_BYTES,
            output_tokens=2 * settings.max_output_tokens,
        )
        tokens = spend.prompt_tokens + spend.output_tokens + more.prompt_tokens + more.output_tokens
        if ceiling.tokens is not None and tokens > ceiling.tokens:
            return True
        cost = settings.price_table.cost(more)
        whole = (spend.price or 0.0) + (cost or 0.0)
        return ceiling.price is not None and whole > ceiling.price

    async def _enter(self, entry: Entry) -> None:
        """Write an entry down, then go on by it."""
        await self.write(entry)
        self.conversation.take(entry)

    async def write(self, entry: Entry) -> None:
        """Write an entry down; a journal that cannot be written holds no report up."""
        if self.is_journalled:
            try:
                await self.journal.append(self.trail.incident_id, self.written + 1, entry)
            except (StoreError, OSError) as error:
                self.is_journalled = False
                log.warning("model's turn not journalled", reason=type(error).__name__)
        self.written += 1

    def end(self, problem: str, *, is_ceiling: bool) -> Ended:
        """Make the entry of an end without a report."""
        return Ended(problem=problem, is_ceiling=is_ceiling, spend=self.trail.spend)


def opening(brief: Brief, settings: MistralSettings, offered: tuple[str, ...]) -> Opening:
    """Say what an analysis begins with."""
    data = brief_data(brief)
    said = [data, [each.model_dump(mode="json", exclude={"chart_svg"}) for each in brief.evidence]]
    text = json.dumps([said, settings.model, settings.fallback_model, offered], sort_keys=True)
    return Opening(
        model=settings.model,
        fallback_model=settings.fallback_model,
        turns=settings.turns,
        offered=offered,
        brief=data,
        evidence=tuple(each.id for each in brief.evidence),
        digest=hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest(),
    )


async def begun(brief: Brief, start: Opening) -> Conversation:
    """Begin a conversation; in a thread, since cleaning much evidence takes a fifth of a second."""
    talk: list[dict[str, Any]] = list(await asyncio.to_thread(messages, brief))
    return Conversation(
        brief=brief,
        model=start.model,
        fallback_model=start.fallback_model,
        turns=start.turns,
        talk=talk,
    )


def _kept(given: Any) -> str | dict[str, Any]:
    """Keep a call's arguments as they came, where a journal can hold them."""
    if isinstance(given, Mapping):
        try:
            return dict(json.loads(json.dumps(given, allow_nan=False)))
        except (TypeError, ValueError, RecursionError):
            return ""
    return given if isinstance(given, str) else ""
