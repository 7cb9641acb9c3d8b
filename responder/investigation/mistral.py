"""The Mistral analyst: the evidence in, tools on offer, one `submit_report` call out, in time.

The only importer of the SDK, and it imports it late: who uses the embedded analyst pays neither
its time nor its memory. Retries, deadlines and the breaker are our own, since the SDK's default is
none, its timeout is per phase, and its Retry-After has no cap.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import structlog

from responder.investigation.analyst import AnalystError, Brief, CeilingError
from responder.investigation.evidence import Window
from responder.investigation.model_caller import (
    BREAKER_FAILURES,
    BREAKER_SECONDS,
    Caller,
    Request,
    Trail,
)
from responder.investigation.model_listing import told_of
from responder.investigation.model_loop import Loop, begun, opening
from responder.investigation.model_reply import Answer, PassingError, failure, judged
from responder.investigation.model_reply import answer as read_answer
from responder.investigation.model_settings import (
    Clockwork,
    Means,
    MistralSettings,
    Observers,
)
from responder.investigation.report import Draft
from responder.investigation.tool import Bench
from responder.investigation.toolbox import Toolbox
from responder.investigation.turns import Journal, NoJournal
from responder.ledger import Ledger, UnsharedBooks
from responder.source import Question

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Client
    from mistralai.client import Mistral

__all__ = [
    "BREAKER_FAILURES",
    "BREAKER_SECONDS",
    "Clockwork",
    "Means",
    "MistralAnalyst",
    "MistralSettings",
    "Observers",
]

log = structlog.get_logger(__name__)

LISTING_SECONDS = 10.0
END_SECONDS = 0.5

Observe = Callable[[str, str], None]
"""Told of each call: the model and the outcome."""


class MistralAnalyst:
    """Leads a model through its turns, within limits; one for all analyses of the process."""

    def __init__(  # noqa: PLR0913 - what an analyst works with
        self,
        settings: MistralSettings,
        *,
        observe: Observe | None = None,
        observers: Observers | None = None,
        clockwork: Clockwork | None = None,
        ledger: Ledger | None = None,
        means: Means | None = None,
        journal: Journal | None = None,
    ) -> None:
        """Connect nothing yet; *observe* is told of each call, *ledger* writes each down.

        Without *means* the model has no tools, without a *journal* nobody can go on for it.
        """
        heard = observers or Observers()
        self._settings = settings
        self._observers = replace(heard, called=observe) if observe else heard
        self._clockwork = clockwork or Clockwork()
        self._ledger = ledger or Ledger(UnsharedBooks())
        self._means = means
        self._journal = journal or NoJournal()
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._caller = Caller(
            settings,
            self._connected,
            observers=self._observers,
            clockwork=self._clockwork,
            ledger=self._ledger,
        )

    @property
    def deadline_seconds(self) -> float:
        """How long an analysis may take."""
        return self._settings.deadline

    async def warm_up(self) -> None:
        """Import the SDK and build its client, off the loop where that blocks; never raises."""
        try:
            await self._connected()
        except AnalystError as error:
            log.warning("model client not built", problem=str(error))

    async def check_models(self) -> None:
        """Look whether the account has the models, and until when; never raises."""
        try:
            async with asyncio.timeout(LISTING_SECONDS):
                body = await (await self._connected()).models()
        except (TimeoutError, AnalystError, PassingError) as error:
            log.warning("models not listed", problem=str(error) or "no answer in time")
            return
        for model in filter(None, (self._settings.model, self._settings.fallback_model)):
            told = told_of(body, model)
            self._observers.listed(model, told)
            if told.is_listed is False:
                log.warning("model not on the account's list", model=model, remedy="check `model`")

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._connection is None:
                try:
                    self._connection = await asyncio.to_thread(Connection.build, self._settings)
                except ImportError as error:
                    problem = f"the SDK cannot be imported ({type(error).__name__})"
                    raise AnalystError(f"{problem}; install mistralai") from None
            return self._connection

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._ledger.aclose()
        async with self._connecting:
            if self._connection is not None:
                await self._connection.aclose()
                self._connection = None

    async def analyse(self, brief: Brief) -> Draft:
        """Write a draft; raises AnalystError when the model does not within the deadline."""
        self._caller.check_breaker()
        limit_seconds, now = self._settings.deadline, self._clockwork.clock()
        trail = Trail(incident_id=brief.incident.id, ends_at=now + limit_seconds)
        loop: Loop | None = None
        failure: AnalystError | None = None
        try:
            async with asyncio.timeout(limit_seconds):
                loop = await self._begun(brief, trail, now)
                await loop.run()
        except TimeoutError:
            model = self._settings.model if loop is None else loop.conversation.model
            self._caller.observe(model, "timeout")
            self._caller.count_failure()
            failure = AnalystError(trail.late(limit_seconds))
        except PassingError as error:
            self._caller.count_failure()
            failure = AnalystError(str(error))
        except AnalystError as error:
            failure = error
        if failure is None and loop is not None:
            self._caller.count_success()
            return loop.conversation.outcome()
        raise await self._ended(failure or AnalystError("no analysis"), loop, trail)

    async def _begun(self, brief: Brief, trail: Trail, now: float) -> Loop:
        """Begin, or go on where another process was: what is in the journal is not asked again."""
        toolbox = self._toolbox(brief)
        offered = () if toolbox is None else toolbox.offered
        start = await asyncio.to_thread(opening, brief, self._settings, offered)
        entries = await self._journal.begin(brief.incident.id, start)
        conversation = await begun(brief, start)
        for entry in entries:
            conversation.take(entry)
        trail.spend = conversation.spend
        if entries:
            log.info("model's turns taken up again", incident=brief.incident.id, turns=len(entries))
        return Loop(
            settings=self._settings,
            caller=self._caller,
            toolbox=toolbox,
            journal=self._journal,
            clockwork=self._clockwork,
            trail=trail,
            conversation=conversation,
            began_at=now,
            written=len(entries),
        )

    async def _ended(self, failure: AnalystError, loop: Loop | None, trail: Trail) -> AnalystError:
        """Journal an end without a report; what was looked at by then goes with the error."""
        failure.spend = trail.spend
        if loop is not None:
            failure.evidence = loop.conversation.evidence
            entry = loop.end(str(failure), is_ceiling=isinstance(failure, CeilingError))
            try:
                async with asyncio.timeout(END_SECONDS):
                    await loop.write(entry)
            except TimeoutError:
                log.warning("model's end not journalled", incident=trail.incident_id)
        return failure

    def _toolbox(self, brief: Brief) -> Toolbox | None:
        """Lay out what the model's tools may look at; None where none is of use."""
        means = self._means
        if means is None:
            return None
        fired = min(each.alert.starts_at for each in brief.incident.episodes)
        now = means.clock()
        question = Question(
            incident=brief.incident,
            window=Window(start=min(fired, now) - means.look_back_seconds, end=now),
            step_seconds=0.0,
            topology=means.topology,
            changes=brief.changes,
            session=means.session,
            deadline_seconds=self._settings.deadline,
            moment=means.moment,
            memory=means.memory,
        )
        bench = Bench(brief=brief, sources=means.sources, question=question)
        toolbox = Toolbox(bench=bench, told=self._observers.looked)
        return toolbox if toolbox.offered else None


class Silent:
    """The SDK's debug log, which would hold whole prompts: nothing is written."""

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Write nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """The SDK's client over HTTP clients of our own, which it does not close."""

    settings: MistralSettings
    client: Mistral
    http: AsyncClient
    blocking: Client

    @classmethod
    def build(cls, settings: MistralSettings) -> Connection:
        """Import the SDK and build its client; nothing that the environment says is heeded."""
        from mistralai.client import Mistral  # noqa: PLC0415 - half a second and 18 MiB

        from responder.investigation import model_http  # noqa: PLC0415 - it needs the SDK's HTTP

        secret = settings.api_key
        http = model_http.client(lambda: None if secret is None else secret.reveal())
        blocking = model_http.no_client()
        client = Mistral(
            # Without one it would look for a key in the environment; the transport sets ours.
            api_key="set-by-the-transport",
            server_url=settings.server_url,
            client=blocking,
            async_client=http,
            timeout_ms=max(1, int(settings.deadline * 1000)),
            debug_logger=Silent(),
        )
        # Its hook looks here before the environment, which could send prompts as traces.
        vars(client.sdk_configuration)["telemetry"] = False
        _load_records(client)
        return cls(settings=settings, client=client, http=http, blocking=blocking)

    async def aclose(self) -> None:
        """Close the connections."""
        self.blocking.close()
        await self.http.aclose()

    async def models(self) -> Any:
        """Give the account's list of models as it came; raises PassingError or AnalystError.

        Not through the SDK, whose records fit Mistral's own list alone.
        """
        try:
            reply = await self.http.get(f"{self.settings.server_url}/v1/models")
            if reply.status_code == 200:
                return json.loads(reply.content)
            problem = judged(reply.status_code, None, reply.text)
        except Exception as error:  # noqa: BLE001 - whatever it raises may quote the reply
            problem = failure(error)
        raise problem

    async def ask(self, request: Request) -> Answer:
        """Make one call; raises PassingError or AnalystError, neither with the reply's body."""
        from mistralai.client import errors  # noqa: PLC0415 - loaded by `build`

        # Plain mappings, which the SDK takes as well as its own records.
        conversation: Any = request.talk
        tools: Any = request.tools
        choice: Any = request.choice
        try:
            reply = await self.client.chat.complete_async(
                model=request.model,
                messages=conversation,
                tools=tools,
                tool_choice=choice,
                parallel_tool_calls=len(request.tools) > 1,
                temperature=0.0,
                max_tokens=self.settings.max_output_tokens,
            )
        except errors.MistralError as error:
            problem = judged(error.status_code, error.headers.get("retry-after"), error.body)
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises may quote the reply
            problem = failure(error)
        else:
            return read_answer(reply, request.model, self.settings.prices)
        # Outside of the handler: the SDK's error, with the request and the reply, is let go.
        raise problem


def _load_records(client: Mistral) -> None:
    """Import what the first call would, on the loop, take a fifth of a second for."""
    from mistralai.client import errors, models  # noqa: PLC0415 - as late as the SDK

    _ = (client.chat, errors.SDKError, errors.ResponseValidationError)
    _ = (models.ChatCompletionRequest, models.ChatCompletionResponse, models.AssistantMessage)
