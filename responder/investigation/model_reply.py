"""A model's reply read, and its failures judged."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Container
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from responder.investigation.analyst import AnalystError
from responder.spend import Usage
from toolkit.secrets import SecretError

PASSING = frozenset({408, 429, 500, 502, 503, 504, 529})
REMEDIES = {
    401: "check api_key",
    403: "check the account's rights",
    404: "check model and server_url",
}
MOST_TOKENS = 100_000_000
# Words and numbers of the API's own; anything else could be an echo of what was sent.
_CODES = (("type", re.compile(r"[a-z]+(?:_[a-z]+){0,5}")), ("code", re.compile(r"[0-9]{1,6}")))


class PassingError(Exception):
    """The call failed in a way that another try may mend; `after_seconds` is the server's wish.

    `is_unspent` says that it cost nothing for sure.
    """

    def __init__(
        self, problem: str, after_seconds: float | None = None, *, is_unspent: bool = False
    ) -> None:
        """Keep the wish beside the problem."""
        super().__init__(problem)
        self.after_seconds = after_seconds
        self.is_unspent = is_unspent


class RefusedError(AnalystError):
    """The call was not made, or the server refused it: it cost nothing."""

    is_about_choice = False
    """Whether the server refused it for the way in which a tool was forced."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One reply: its tool calls (name, arguments) and what it used."""

    calls: tuple[tuple[str, Any], ...]
    finish_reason: str
    usage: Usage


def answer(reply: Any, model: str, prices: Container[str]) -> Answer:
    """Read a reply of the SDK.

    It is charged as the model that served it where that has a price, else as the one asked for, so
    that a server cannot invent names.
    """
    choice = reply.choices[0] if reply.choices else None
    message = None if choice is None else choice.message
    calls = () if message is None else (message.tool_calls or ())
    return Answer(
        calls=tuple((call.function.name, call.function.arguments) for call in calls),
        finish_reason=str(choice.finish_reason) if choice is not None else "",
        usage=Usage(
            model=reply.model if reply.model in prices else model,
            prompt_tokens=_tokens(reply.usage.prompt_tokens),
            output_tokens=_tokens(reply.usage.completion_tokens),
        ),
    )


def _tokens(count: int | None) -> int:
    return min(max(count or 0, 0), MOST_TOKENS)


def as_json(given: Any) -> str:
    """Give arguments as JSON; those that are none are left out, since servers parse them again."""
    try:
        whole = json.loads(given) if isinstance(given, str) else given
        return json.dumps(whole if isinstance(whole, dict) else {}, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return "{}"


def failure(error: Exception) -> AnalystError | PassingError:
    """Judge what a call without a reply raised: PassingError where another try may help."""
    import httpx2  # noqa: PLC0415 - it comes with the SDK, and as late

    if isinstance(error, SecretError):
        return RefusedError(str(error))
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return RefusedError(f"model cannot be asked ({type(error).__name__}); check server_url")
    if isinstance(error, httpx2.LocalProtocolError):
        return RefusedError("request cannot be written; check api_key")
    if isinstance(error, httpx2.HTTPError):
        is_unspent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
        return PassingError(f"model not reached ({type(error).__name__})", is_unspent=is_unspent)
    return AnalystError(f"model's reply cannot be read ({type(error).__name__})")


def judged(status: int, retry_after: str | None, body: str) -> AnalystError | PassingError:
    """Judge a refusal: of the reply only its status and its error code are told."""
    if status == 200:
        return PassingError("model answered 200 with a body that is not the API's")
    told = f"{status}{_code(body)}"
    if status in PASSING:
        return PassingError(f"model answered {told}", _seconds(retry_after), is_unspent=True)
    remedy = REMEDIES.get(status, "check model, server_url and tool_choice")
    refused = RefusedError(f"model refused with {told}; {remedy}")
    refused.is_about_choice = status in {400, 422} and "tool_choice" in body
    return refused


def _code(body: str) -> str:
    """Give the error's type and code, in brackets, where they are in the API's form."""
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(whole, dict):
        return ""
    inner = whole.get("error")
    error = inner if isinstance(inner, dict) else whole
    words = [str(error.get(key)) for key, form in _CODES if form.fullmatch(str(error.get(key)))]
    words = [word[:40] for word in words if word != "None"]
    return f" ({' '.join(words)})" if words else ""


def _seconds(retry_after: str | None) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3); None when it is neither."""
    text = (retry_after or "").strip()[:40]
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - dt.datetime.now(dt.UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
