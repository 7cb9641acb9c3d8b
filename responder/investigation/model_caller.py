"""Calls a model with patience: retries, breaker, pace, and each call's cost written down."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from responder.investigation.analyst import AnalystError, CeilingError
from responder.investigation.model_listing import Listed
from responder.investigation.model_pace import Heard, HeldError, Pace
from responder.investigation.model_reply import Answer, PassingError, RefusedError
from responder.investigation.model_settings import Clockwork, MistralSettings, Observers
from responder.investigation.report import Spend
from responder.ledger import Ledger, Planned
from responder.spend import charged

log = structlog.get_logger(__name__)

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
BREAKER_FAILURES = 3
BREAKER_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a model is asked: the conversation, the tools on offer, and how one is forced."""

    model: str
    talk: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    choice: str


class Client(Protocol):
    """The connection to a server."""

    async def ask(self, request: Request) -> Answer:
        """Make one call; raises PassingError or AnalystError, neither with the reply's body."""
        ...


@dataclass(kw_only=True, slots=True)
class Trail:
    """What came of one analysis so far: its calls, what they cost, what last went wrong."""

    incident_id: str
    ends_at: float
    calls: int = 0
    spend: Spend = field(default_factory=Spend)
    problem: str = ""

    def late(self, limit_seconds: float) -> str:
        """Say why there is no report."""
        before = f", before it: {self.problem}" if self.problem else ""
        return f"no report within {limit_seconds:g} s (call {self.calls} without an end{before})"


class Caller:
    """Asks any model of one server, for all analyses of the process."""

    def __init__(
        self,
        settings: MistralSettings,
        connect: Callable[[], Awaitable[Client]],
        *,
        observers: Observers,
        clockwork: Clockwork,
        ledger: Ledger,
    ) -> None:
        """Keep what it works with; *connect* gives the connection, and raises AnalystError."""
        self._settings = settings
        self._connect = connect
        self._observers = observers
        self._clockwork = clockwork
        self._ledger = ledger
        self._paces: dict[str, Pace] = {}
        self._choice = settings.forced
        self._failures = 0
        self._closed_until = 0.0

    def observe(self, model: str, outcome: str) -> None:
        """Tell of a call."""
        self._observers.called(model, outcome)

    def check_breaker(self) -> None:
        """Raise AnalystError while nobody is to be asked."""
        left = self._closed_until - self._clockwork.clock()
        if left > 0:
            self.observe(self._settings.model, "not_asked")
            raise AnalystError(
                f"not asked for {left:.0f} s more: it failed {BREAKER_FAILURES} times"
            )

    def count_failure(self) -> None:
        """Count a failure towards the breaker; after its time, one more closes it again."""
        self._failures += 1
        if self._failures >= BREAKER_FAILURES:
            self._closed_until = self._clockwork.clock() + BREAKER_SECONDS
            self._failures = BREAKER_FAILURES - 1

    def count_success(self) -> None:
        """Let the breaker forget."""
        self._failures = 0

    async def answer(
        self, model: str, talk: list[dict[str, Any]], tools: list[dict[str, Any]], trail: Trail
    ) -> Answer:
        """Call, and try again what may pass, Retry-After as a floor.

        A longer wait than the cap, or than what is left, is not waited for. Raises PassingError
        and AnalystError.
        """
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._paced(model, talk, tools, trail)
            except PassingError as error:
                self.observe(model, "passing_error")
                trail.problem = str(error)
                wished = error.after_seconds or 0.0
                if wished:
                    self._pace(model).hold(wished, str(error))
                wait_seconds = max(wished, pause * (0.5 + self._clockwork.chance()))
                left_seconds = trail.ends_at - self._clockwork.clock()
                is_vain = wished > LONGEST_PAUSE_SECONDS or wait_seconds >= left_seconds
                if attempt == ATTEMPTS or is_vain:
                    raise
                log.info("model call tried again", model=model, problem=str(error))
            await self._clockwork.sleep(wait_seconds)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        raise AnalystError("no attempt was made")

    def _pace(self, model: str) -> Pace:
        if model not in self._paces:
            self._paces[model] = Pace(self._settings.concurrency, self._clockwork.clock)
        return self._paces[model]

    async def _paced(
        self, model: str, talk: list[dict[str, Any]], tools: list[dict[str, Any]], trail: Trail
    ) -> Answer:
        pace = self._pace(model)
        left_seconds = trail.ends_at - self._clockwork.clock()
        try:
            wait_seconds = pace.check(min(LONGEST_PAUSE_SECONDS, left_seconds))
        except HeldError as error:
            self.observe(model, "not_asked")
            raise AnalystError(str(error)) from None
        if wait_seconds:
            await self._clockwork.sleep(wait_seconds)
        async with pace.call() as heard:
            answer = await self._chosen(model, talk, tools, trail)
        self._tell(model, heard)
        return answer

    def _tell(self, model: str, heard: Heard) -> None:
        if heard.retires_at is not None:
            self._observers.listed(model, Listed(retires_at=heard.retires_at))

    async def _chosen(
        self, model: str, talk: list[dict[str, Any]], tools: list[dict[str, Any]], trail: Trail
    ) -> Answer:
        """Ask with the server's word for a forced tool; without one where it refuses that."""
        request = Request(model=model, talk=talk, tools=tools, choice=self._choice)
        try:
            return await self._call(request, trail)
        except RefusedError as error:
            if not error.is_about_choice or self._choice == "auto":
                raise
            log.warning("server takes no forced tool", model=model, tool_choice=self._choice)
            self._choice = "auto"
        return await self._call(Request(model=model, talk=talk, tools=tools, choice="auto"), trail)

    async def _call(self, request: Request, trail: Trail) -> Answer:
        client = await self._connect()
        try:
            return await self._reserved(client, request, trail)
        except CeilingError:
            self.observe(request.model, "ceiling")
            raise
        except AnalystError:
            self.observe(request.model, "refused")
            raise

    async def _reserved(self, client: Client, request: Request, trail: Trail) -> Answer:
        """Ask once the ledger has room for it, and have it written down what came of it."""
        sent = json.dumps([request.talk, request.tools], ensure_ascii=False)
        planned = Planned(
            incident_id=trail.incident_id,
            model=request.model,
            sent_bytes=len(sent.encode("utf-8", "replace")),
            output_tokens=self._settings.max_output_tokens,
            longest_seconds=self._settings.deadline,
        )
        table = self._settings.price_table
        async with self._ledger.call(planned, self._settings.ceilings, table) as slip:
            trail.calls += 1
            try:
                answer = await client.ask(request)
            except RefusedError:
                slip.is_unspent = True
                raise
            except PassingError as error:
                slip.is_unspent = error.is_unspent
                raise
            slip.usage = answer.usage
            trail.spend = charged(trail.spend, answer.usage, table)
            return answer
