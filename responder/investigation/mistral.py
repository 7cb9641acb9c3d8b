"""The Mistral analyst: the evidence in, one `submit_report` call out, within a deadline.

The only importer of the SDK, and it imports it late: who uses the embedded analyst pays neither
its time nor its memory. Retries, deadlines and the breaker are our own, since the SDK's default is
none, its timeout is per phase, and its Retry-After has no cap.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import structlog
from pydantic import AfterValidator, Field

from responder.investigation.analyst import AnalystError, Brief
from responder.investigation.model_reply import (
    Answer,
    PassingError,
    arguments,
    correction,
    failure,
    judged,
)
from responder.investigation.model_reply import answer as read_answer
from responder.investigation.prompt import draft, fit, messages, tool
from responder.investigation.report import Draft, Spend
from responder.spend import Price, PriceTable, charged
from toolkit.secrets import Secret
from toolkit.settings import Duration, Settings, fault

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Client
    from mistralai.client import Mistral

log = structlog.get_logger(__name__)

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
FIRST_MODEL_SHARE = 0.6
BREAKER_FAILURES = 3
BREAKER_SECONDS = 60.0

Observe = Callable[[str, str], None]
"""Told of each call: the model and the outcome."""


def _server(value: str) -> str:
    trimmed = value.rstrip("/")
    if not trimmed.startswith(("http://", "https://")):
        raise fault("not a web URL", "write it like https://api.mistral.ai")
    if trimmed.endswith("/v1"):
        raise fault("ends in /v1, which the client adds", "leave /v1 out")
    return trimmed


class MistralSettings(Settings):
    """A model behind Mistral's chat API, Mistral's own or any server that speaks it."""

    model: str = Field(default="mistral-small-latest", min_length=1)
    api_key: Secret | None = None
    """The key; without it requests carry none, as local servers take them."""
    server_url: Annotated[str, AfterValidator(_server)] = "https://api.mistral.ai"
    """Where it is, without /v1."""
    deadline: Duration = 20.0
    """How long the whole analysis may take; then the embedded analyst writes."""
    fallback_model: str | None = None
    """Asked when the model itself failed for good, or took over 0.6 of the deadline."""
    max_output_tokens: int = Field(default=3000, ge=100, le=32_000)
    tool_choice: Literal["any", "required", "auto"] = "any"
    """How the server calls a forced tool: `any` at Mistral, `required` at vLLM."""
    prices: Mapping[str, Price] = {}
    """Per million tokens, by model; without one a report states its tokens alone."""
    currency: str = "USD"


@dataclass(frozen=True, kw_only=True, slots=True)
class Clockwork:
    """Time and chance, given so that tests need neither."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


@dataclass(kw_only=True, slots=True)
class Trail:
    """What came of one analysis so far: its calls, what they cost, what last went wrong."""

    ends_at: float
    calls: int = 0
    spend: Spend = field(default_factory=Spend)
    problem: str = ""

    def late(self, limit_seconds: float) -> str:
        """Say why there is no report."""
        before = f", before it: {self.problem}" if self.problem else ""
        return f"no report within {limit_seconds:g} s (call {self.calls} without an end{before})"


class MistralAnalyst:
    """Asks the model once, corrects a malformed answer once, and retries what passes."""

    def __init__(
        self,
        settings: MistralSettings,
        *,
        observe: Observe | None = None,
        clockwork: Clockwork | None = None,
    ) -> None:
        """Connect nothing yet; *observe* is told of each call."""
        self._settings = settings
        self._observe = observe or (lambda _model, _outcome: None)
        self._clockwork = clockwork or Clockwork()
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._failures = 0
        self._closed_until = 0.0

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
        async with self._connecting:
            if self._connection is not None:
                await self._connection.aclose()
                self._connection = None

    async def analyse(self, brief: Brief) -> Draft:
        """Write a draft; raises AnalystError when the model does not within the deadline."""
        self._check_breaker()
        limit_seconds = self._settings.deadline
        trail = Trail(ends_at=self._clockwork.clock() + limit_seconds)
        try:
            async with asyncio.timeout(limit_seconds):
                found = await self._analyse(brief, trail)
        except TimeoutError:
            self._observe(self._settings.model, "timeout")
            problem = trail.late(limit_seconds)
        except PassingError as error:
            problem = str(error)
        else:
            self._failures = 0
            return found
        self._count_failure()
        raise AnalystError(problem)

    async def _analyse(self, brief: Brief, trail: Trail) -> Draft:
        model, fallback = self._settings.model, self._settings.fallback_model
        if fallback is None:
            return await self._with(model, brief, trail)
        share_seconds = FIRST_MODEL_SHARE * self._settings.deadline
        try:
            async with asyncio.timeout(share_seconds):
                return await self._with(model, brief, trail)
        except TimeoutError:
            self._observe(model, "timeout")
            trail.problem = f"{model}: {trail.late(share_seconds)}"
        except (AnalystError, PassingError) as error:
            trail.problem = f"{model}: {error}"
        log.warning("model failed, fallback asked", model=model, problem=trail.problem)
        note = f"{trail.problem}; {fallback} wrote instead"
        found = await self._with(fallback, brief, trail)
        return found.model_copy(update={"notes": (*found.notes, note)})

    async def _with(self, model: str, brief: Brief, trail: Trail) -> Draft:
        """Ask one model; an answer that cannot be read is handed back to it once."""
        # In a thread: cleaning and masking much evidence takes a fifth of a second.
        talk: list[dict[str, Any]] = list(await asyncio.to_thread(messages, brief))
        for is_last in (False, True):
            answer = await self._patiently(model, talk, trail)
            trail.spend = charged(trail.spend, answer.usage, self._price_table())
            try:
                given = fit(arguments(answer), brief)
            except AnalystError as error:
                self._observe(model, "unreadable")
                trail.problem = str(error)
                if is_last:
                    raise
                talk += correction(answer, trail.problem)
                continue
            self._observe(model, "ok")
            return draft(given, brief, analyst=f"mistral ({model})", spend=trail.spend)
        raise AnalystError("no answer that can be read")

    async def _patiently(self, model: str, talk: list[dict[str, Any]], trail: Trail) -> Answer:
        """Call, and try again what may pass, Retry-After as a floor.

        A longer wait than the cap, or than what is left, is not waited for.
        """
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._call(model, talk, trail)
            except PassingError as error:
                self._observe(model, "passing_error")
                trail.problem = str(error)
                wished = error.after_seconds or 0.0
                wait_seconds = max(wished, pause * (0.5 + self._clockwork.chance()))
                left_seconds = trail.ends_at - self._clockwork.clock()
                is_vain = wished > LONGEST_PAUSE_SECONDS or wait_seconds >= left_seconds
                if attempt == ATTEMPTS or is_vain:
                    raise
                log.info("model call tried again", model=model, problem=str(error))
            await self._clockwork.sleep(wait_seconds)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        raise AnalystError("no attempt was made")

    async def _call(self, model: str, talk: list[dict[str, Any]], trail: Trail) -> Answer:
        connection = await self._connected()
        trail.calls += 1
        try:
            return await connection.ask(model, talk)
        except AnalystError:
            self._observe(model, "refused")
            raise

    def _price_table(self) -> PriceTable:
        return PriceTable(prices=self._settings.prices, currency=self._settings.currency)

    def _check_breaker(self) -> None:
        left = self._closed_until - self._clockwork.clock()
        if left > 0:
            self._observe(self._settings.model, "not_asked")
            raise AnalystError(
                f"not asked for {left:.0f} s more: it failed {BREAKER_FAILURES} times"
            )

    def _count_failure(self) -> None:
        """Count a failure towards the breaker; after its time, one more closes it again."""
        self._failures += 1
        if self._failures >= BREAKER_FAILURES:
            self._closed_until = self._clockwork.clock() + BREAKER_SECONDS
            self._failures = BREAKER_FAILURES - 1


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

    async def ask(self, model: str, talk: list[dict[str, Any]]) -> Answer:
        """Make one call; raises PassingError or AnalystError, neither with the reply's body."""
        from mistralai.client import errors  # noqa: PLC0415 - loaded by `build`

        # Plain mappings, which the SDK takes as well as its own records.
        conversation: Any = talk
        tools: Any = [tool()]
        try:
            reply = await self.client.chat.complete_async(
                model=model,
                messages=conversation,
                tools=tools,
                tool_choice=self.settings.tool_choice,
                parallel_tool_calls=False,
                temperature=0.0,
                max_tokens=self.settings.max_output_tokens,
            )
        except errors.MistralError as error:
            problem = judged(error.status_code, error.headers.get("retry-after"), error.body)
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises may quote the reply
            problem = failure(error)
        else:
            return read_answer(reply, model, self.settings.prices)
        # Outside of the handler: the SDK's error, with the request and the reply, is let go.
        raise problem


def _load_records(client: Mistral) -> None:
    """Import what the first call would, on the loop, take a fifth of a second for."""
    from mistralai.client import errors, models  # noqa: PLC0415 - as late as the SDK

    _ = (client.chat, errors.SDKError, errors.ResponseValidationError)
    _ = (models.ChatCompletionRequest, models.ChatCompletionResponse, models.AssistantMessage)
