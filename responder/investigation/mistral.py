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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import structlog
from pydantic import AfterValidator, Field

from responder.guard import line, mask_secrets
from responder.investigation.analyst import AnalystError, Brief
from responder.investigation.prompt import TOOL, ReportArguments, draft, messages, read, tool
from responder.investigation.report import Draft, Spend
from responder.spend import Price, PriceTable, Usage, charged
from toolkit.secrets import Secret, SecretError
from toolkit.settings import Duration, Settings, fault

if TYPE_CHECKING:
    from mistralai.client import Mistral

log = structlog.get_logger(__name__)

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
BREAKER_FAILURES = 3
BREAKER_SECONDS = 60.0
PASSING = frozenset({408, 429, 500, 502, 503, 504, 529})
LONGEST_PROBLEM = 200

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
    """Asked when the model itself failed for good."""
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


class PassingError(Exception):
    """The call failed in a way that another try may mend; `after_seconds` is the server's wish."""

    def __init__(self, problem: str, after_seconds: float | None = None) -> None:
        """Keep the wish beside the problem."""
        super().__init__(problem)
        self.after_seconds = after_seconds


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
        self._failures = 0
        self._closed_until = 0.0

    @property
    def deadline_seconds(self) -> float:
        """How long an analysis may take."""
        return self._settings.deadline

    async def warm_up(self) -> None:
        """Import the SDK and build its client, off the loop where that blocks."""
        if self._connection is None:
            self._connection = await asyncio.to_thread(Connection.build, self._settings)

    async def aclose(self) -> None:
        """Close the client's connections."""
        if self._connection is not None:
            await self._connection.aclose()
            self._connection = None

    async def analyse(self, brief: Brief) -> Draft:
        """Write a draft; raises AnalystError when the model does not within the deadline."""
        self._check_breaker()
        try:
            async with asyncio.timeout(self._settings.deadline):
                found = await self._analyse(brief)
        except TimeoutError:
            self._observe(self._settings.model, "timeout")
            self._failed(f"no report within {self._settings.deadline:g} s")
        except PassingError as error:
            self._failed(str(error))
        self._failures = 0
        return found

    async def _analyse(self, brief: Brief) -> Draft:
        await self.warm_up()
        models = (self._settings.model, self._settings.fallback_model)
        wanted = [model for model in models if model]
        for model in wanted[:-1]:
            try:
                return await self._with(model, brief)
            except (AnalystError, PassingError) as error:
                log.warning("model failed, fallback asked", model=model, problem=str(error))
        return await self._with(wanted[-1], brief)

    async def _with(self, model: str, brief: Brief) -> Draft:
        """Ask one model; an answer that cannot be read is handed back to it once."""
        talk: list[dict[str, Any]] = list(messages(brief))
        spend = Spend()
        for is_last in (False, True):
            answer = await self._patiently(model, talk)
            spend = charged(spend, answer.usage, self._price_table())
            try:
                arguments = _arguments(answer)
            except AnalystError as error:
                self._observe(model, "unreadable")
                if is_last or not answer.calls:
                    raise
                talk += _correction(answer, str(error))
                continue
            self._observe(model, "ok")
            return draft(arguments, brief, analyst=f"mistral ({model})", spend=spend)
        raise AnalystError("no answer that can be read")

    async def _patiently(self, model: str, talk: list[dict[str, Any]]) -> Answer:
        """Call, and try again what may pass, Retry-After as a floor with a cap."""
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._call(model, talk)
            except PassingError as error:
                self._observe(model, "passing_error")
                if attempt == ATTEMPTS:
                    raise
                wished = min(error.after_seconds or 0.0, LONGEST_PAUSE_SECONDS)
                log.info("model call tried again", model=model, problem=str(error))
                await self._clockwork.sleep(max(wished, pause * (0.5 + self._clockwork.chance())))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        raise AnalystError("no attempt was made")

    async def _call(self, model: str, talk: list[dict[str, Any]]) -> Answer:
        if self._connection is None:
            raise AnalystError("the client is closed")
        try:
            return await self._connection.ask(model, talk)
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

    def _failed(self, problem: str) -> NoReturn:
        """Count a failure towards the breaker, and say so."""
        self._failures += 1
        if self._failures >= BREAKER_FAILURES:
            self._closed_until = self._clockwork.clock() + BREAKER_SECONDS
            self._failures = 0
        raise AnalystError(problem) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One reply: its tool calls (id, name, arguments) and what it used."""

    calls: tuple[tuple[str, str, Any], ...]
    finish_reason: str
    usage: Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """The SDK's client over an HTTP client of our own, which it does not close."""

    settings: MistralSettings
    client: Mistral
    http: Any

    @classmethod
    def build(cls, settings: MistralSettings) -> Connection:
        """Import the SDK and build its client: no proxies of the environment, no redirects."""
        import httpx2  # noqa: PLC0415 - it comes with the SDK, and as late
        from mistralai.client import Mistral  # noqa: PLC0415 - half a second and 18 MiB

        http = httpx2.AsyncClient(trust_env=False, follow_redirects=False)
        client = Mistral(
            api_key=None if settings.api_key is None else settings.api_key.reveal,
            server_url=settings.server_url,
            async_client=http,
            timeout_ms=int(settings.deadline * 1000),
        )
        return cls(settings=settings, client=client, http=http)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def ask(self, model: str, talk: list[dict[str, Any]]) -> Answer:
        """Make one call; raises PassingError or AnalystError, neither with the reply's body."""
        import httpx2  # noqa: PLC0415 - loaded by `build`
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
            raise _judged(error.status_code, error.headers.get("retry-after")) from None
        except (httpx2.HTTPError, errors.NoResponseError) as error:
            raise PassingError(f"model not reached ({type(error).__name__})") from None
        except SecretError as error:
            raise AnalystError(str(error)) from None
        return _answer(reply, model)


def _judged(status: int, retry_after: str | None) -> Exception:
    """Say of a refused call whether another try may help."""
    if status == 200:
        return PassingError("model answered 200 with a body that is not the API's")
    if status in PASSING:
        text = (retry_after or "").strip()
        seconds = float(text[:9]) if text.isascii() and text.isdecimal() else None
        return PassingError(f"model answered {status}", seconds)
    remedies = {401: "check api_key", 403: "check the account's rights", 404: "check model"}
    remedy = remedies.get(status, "check model, server_url and tool_choice")
    return AnalystError(f"model refused with {status}; {remedy}")


def _answer(reply: Any, model: str) -> Answer:
    choice = reply.choices[0] if reply.choices else None
    message = None if choice is None else choice.message
    calls = () if message is None else (message.tool_calls or ())
    return Answer(
        calls=tuple((call.id or "", call.function.name, call.function.arguments) for call in calls),
        finish_reason=str(choice.finish_reason) if choice is not None else "",
        usage=Usage(
            model=line(reply.model or model, LONGEST_PROBLEM),
            prompt_tokens=reply.usage.prompt_tokens or 0,
            output_tokens=reply.usage.completion_tokens or 0,
        ),
    )


def _arguments(answer: Answer) -> ReportArguments:
    for _, name, arguments in answer.calls:
        if name == TOOL:
            return read(arguments)
    if answer.finish_reason == "length":
        raise AnalystError("the answer was cut by the token limit; raise max_output_tokens")
    raise AnalystError(f"the model did not call {TOOL}")


def _correction(answer: Answer, problem: str) -> list[dict[str, Any]]:
    """Hand the first call back with what is wrong; every call gets a result, as the API demands."""
    calls = [
        {
            "id": identity,
            "type": "function",
            "function": {
                "name": name,
                "arguments": given if isinstance(given, str) else "{}",
            },
        }
        for identity, name, given in answer.calls
    ]
    said = mask_secrets(f"{problem}; call {TOOL} again with arguments that fit its schema")
    results = [
        {"role": "tool", "tool_call_id": identity, "name": name, "content": said}
        for identity, name, _ in answer.calls
    ]
    return [{"role": "assistant", "content": "", "tool_calls": calls}, *results]
