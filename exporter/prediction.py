"""What the kinds for predictive servers share: canaries, golden answers, and reading JSON."""

from __future__ import annotations

import json
import math
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol

import orjson
from pydantic import AfterValidator, Field

from exporter.check import Check, CheckField
from exporter.headers import Headers
from exporter.http_terms import refusal, request_of, retry_after_seconds
from exporter.probe import KOfN, Question, Required
from exporter.target import Exchange, Name, Observation, Reason, Target
from exporter.transport import Transport
from toolkit.settings import Settings

READY = "ready"
"""The question of a target without canaries: is the model ready?"""

MALFORMED = "malformed"
"""The question whose right answer is a refusal."""

MOST_VALUES = 20_000
"""Values in an answer beyond which it is not searched: a microsecond or more each."""

_RESERVED = frozenset({READY, MALFORMED})
_JSON = "application/json"
_LEAST_SECONDS = 0.01


class FaultError(Exception):
    """Why an answer is not right; ends the reading of it."""

    def __init__(self, reason: Reason, detail: str, nonfinite_values: int | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.nonfinite_values = nonfinite_values


class Tolerance(Settings):
    """How far a number may be from the golden one: absolute + relative * |golden|."""

    absolute: float = Field(1e-6, ge=0, description="in the number's own unit")
    relative: float = Field(1e-3, ge=0, description="as a part of the golden number")

    def holds(self, golden: float, got: float) -> bool:
        """Say whether a number is near enough; NaN never is."""
        return abs(got - golden) <= self.absolute + self.relative * abs(golden)


def _sendable(value: Any) -> Any:
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ValueError(
            f"cannot be written as JSON ({error}); use maps, lists, text, numbers"
        ) from (error)
    return value


Json = Annotated[Any, AfterValidator(_sendable)]
"""Anything that JSON can say."""


def _not_reserved(value: str) -> str:
    if value in _RESERVED:
        raise ValueError(f"{value!r} is the name of a question of our own; choose another")
    return value


CanaryName = Annotated[Name, AfterValidator(_not_reserved)]


class Canary(Settings):
    """One prediction whose right answer is known; each kind adds what is sent."""

    name: CanaryName = Field(description="the label `canary`")
    expect: Json = Field(None, description="the golden answer; numbers may differ by `tolerance`")
    tolerance: Tolerance = Field(Tolerance(), description="how far a number may be off")
    checks: tuple[CheckField, ...] = Field((), description="what the answer must hold")
    required: KOfN = Field(Required(), description="k of n: right answers among the last runs")
    optional: bool = Field(False, description="under its k of n it only degrades the target")

    def compare(self, got: Any) -> None:
        """Hold an answer against the golden one, where there is one; raises FaultError."""
        where = None if self.expect is None else difference(self.expect, got, self.tolerance)
        if where is not None:
            raise FaultError(Reason.WRONG_ANSWER, f"not the golden answer at {where}")


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """The label `canary`."""
        ...


def check_names(canaries: Iterable[Named]) -> None:
    """Refuse two canaries of one name; raises ValueError."""
    names = [canary.name for canary in canaries]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two canaries are named {name!r}; give each its own name")


def questions_of(
    canaries: Iterable[Canary], checks: tuple[Check, ...], *, malformed: bool
) -> tuple[Question, ...]:
    """Return the canaries as questions, the refusal last; READY where there are no canaries."""
    asked = tuple(
        Question(
            canary=canary.name,
            checks=canary.checks + checks,
            required=canary.required,
            optional=canary.optional,
        )
        for canary in canaries
    )
    if not asked:
        return (Question(canary=READY, checks=checks),)
    # A model that takes what it should refuse still answers its users: that only degrades.
    refused = (Question(canary=MALFORMED, optional=True),) if malformed else ()
    return asked + refused


def joined(url: str, path: str) -> str:
    """Return a server's address with a path, of which the address may hold the first part."""
    parts = urllib.parse.urlsplit(url)
    before = [each for each in parts.path.split("/") if each]
    after = path.strip("/").split("/")
    longest = min(len(before), len(after))
    shared = next((n for n in range(longest, 0, -1) if before[-n:] == after[:n]), 0)
    return urllib.parse.urlunsplit(parts._replace(path="/" + "/".join(before + after[shared:])))


def segment(text: str) -> str:
    """Return a name as one segment of a path."""
    return urllib.parse.quote(text, safe="")


async def ask(  # noqa: PLR0913 - what a request has, and what the run was marked with
    target: Target,
    transport: Transport,
    *,
    path: str,
    body: Any = None,
    headers: Headers,
    method: str = "",
    nonce: str = "",
    earlier: tuple[Exchange, ...] = (),
) -> Exchange:
    """Send one request: a GET, or a POST where there is a body (bytes, text, or JSON to be).

    The exchanges before it in the same run take of the run's timeout.
    """
    typed = {} if body is None else {"Content-Type": _JSON}
    request = request_of(
        target,
        method=method or ("GET" if body is None else "POST"),
        url=joined(target.url or "", path) if path else target.url or "",
        headers={**_without(typed, headers), "Accept": _JSON, **headers},
        body=_bytes(body),
    )
    left = seconds_left(request.timeout_seconds, earlier)
    exchange = await transport.exchange(replace(request, timeout_seconds=left))
    return replace(exchange, nonce=nonce, earlier=earlier)


def seconds_left(timeout_seconds: float, earlier: Iterable[Exchange]) -> float:
    """Return what the exchanges before in the same run have left of its timeout."""
    spent = sum(each.times.end - each.times.begin for each in earlier)
    return max(_LEAST_SECONDS, timeout_seconds - spent)


def _without(ours: dict[str, str], given: Headers) -> dict[str, str]:
    named = {name.lower() for name in given}
    return {name: value for name, value in ours.items() if name.lower() not in named}


def _bytes(body: Any) -> bytes:
    if body is None or isinstance(body, bytes):
        return body or b""
    return body.encode() if isinstance(body, str) else orjson.dumps(body)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A parsed body, and how many of its numbers were written as NaN or an infinity."""

    value: Any
    nonfinite_values: int = 0


def parsed(body: bytes) -> Document:
    """Parse a body.

    Bare NaN and Infinity are no JSON (RFC 8259, section 6), but TensorFlow Serving and Python's
    encoder write them: such a body is read, and they are counted. Raises FaultError for all else.
    """
    if not body.strip():
        raise FaultError(Reason.EMPTY, "the answer is empty")
    try:
        return Document(value=orjson.loads(body))
    except orjson.JSONDecodeError:
        return _parsed_loosely(body)


def _parsed_loosely(body: bytes) -> Document:
    found = 0

    def number(text: str) -> float:
        nonlocal found
        value = float(text)
        found += not math.isfinite(value)
        return value

    try:
        value = json.loads(body, parse_constant=number, parse_float=number)
    except (ValueError, RecursionError):
        found = 0
    if not found:
        raise FaultError(Reason.BAD_JSON, "the answer is not JSON")
    return Document(value=value, nonfinite_values=found)


def finite(document: Document) -> Any:
    """Return the document of an answer all whose numbers are; raises FaultError."""
    count = document.nonfinite_values
    if count:
        text = f"{count} of the answer's numbers are NaN or infinite"
        raise FaultError(Reason.WRONG_ANSWER, text, count)
    return document.value


def member(document: Any, key: str) -> Any:
    """Return what an answer must have; raises FaultError."""
    if not isinstance(document, Mapping) or key not in document:
        raise FaultError(Reason.SCHEMA, f"the answer has no {key!r}")
    return document[key]


def rows(document: Any, key: str, count: int | None = None) -> list[Any]:
    """Return an answer's list, which must be `count` long where that is given; FaultError."""
    found = member(document, key)
    if not isinstance(found, list):
        raise FaultError(Reason.SCHEMA, f"{key!r} is no list")
    if not found:
        raise FaultError(Reason.EMPTY, f"{key!r} is empty")
    if count is not None and len(found) != count:
        raise FaultError(Reason.SCHEMA, f"{key!r} has {len(found)} values for {count} asked")
    return found


def difference(golden: Any, got: Any, tolerance: Tolerance, place: str = "$") -> str | None:
    """Return where an answer leaves the golden one, None where it does not.

    A golden map names the keys that matter; others may be there. As deep as the golden answer is.
    """
    if isinstance(golden, Mapping):
        if not isinstance(got, Mapping):
            return place
        pairs: Iterable[tuple[str, Any, Any]] = (
            (f"{place}.{key}", value, got.get(key)) for key, value in golden.items()
        )
    elif isinstance(golden, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(golden):
            return place
        pairs = ((f"{place}[{n}]", *each) for n, each in enumerate(zip(golden, got, strict=True)))
    else:
        return None if _same(golden, got, tolerance) else place
    found = (difference(value, other, tolerance, inner) for inner, value, other in pairs)
    return next((each for each in found if each is not None), None)


def small(document: Any) -> Any:
    """Return a document that is small enough to search on the agents' loop; raises FaultError."""
    left, seen = [document], 0
    while left:
        value = left.pop()
        seen += 1
        if isinstance(value, Mapping):
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
        if seen + len(left) > MOST_VALUES:
            raise FaultError(Reason.SCHEMA, f"the answer has over {MOST_VALUES} values")
    return document


def _same(golden: Any, got: Any, tolerance: Tolerance) -> bool:
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (golden, got))
    if not numbers:
        return type(golden) is type(got) and bool(golden == got)
    try:
        return tolerance.holds(golden, got)
    except OverflowError:  # a whole number beyond what a float holds
        return bool(golden == got)


def observe(
    exchange: Exchange,
    read: Callable[[bytes], Observation],
    valid_status: tuple[int, ...] = (),
) -> Observation:
    """Make the observation of an exchange: the refusal of one that is none, else what is read.

    `read` is given the body of a valid answer, and raises FaultError for one that is not right.
    """
    refused = refusal(exchange, valid_status)
    nonfinite_values = None
    seen = Observation()
    if refused is None:
        try:
            seen = read(exchange.body)
        except FaultError as error:
            refused, nonfinite_values = (error.reason, error.detail), error.nonfinite_values
    return _completed(seen, exchange, refused, nonfinite_values)


def observe_refusal(exchange: Exchange) -> Observation:
    """Make the observation of a malformed question: right is a 4xx whose body says why.

    Credentials, rate and a model that is not there are refusals of another kind.
    """
    refused = refusal(exchange)
    if refused is None:
        text = f"a malformed request was taken (status {exchange.status})"
        refused = (Reason.WRONG_ANSWER, text)
    elif refused[0] is Reason.HTTP_4XX and exchange.status not in {404, 405, 408}:
        refused = None if _says_why(exchange.body) else (Reason.SCHEMA, "refused without an error")
    return _completed(Observation(), exchange, refused)


def _says_why(body: bytes) -> bool:
    """Find an error text: OIP and TF Serving call it error, FastAPI detail, others message."""
    try:
        document = parsed(body).value
    except FaultError:
        return False
    keys = ("error", "detail", "message")
    return isinstance(document, Mapping) and any(document.get(key) for key in keys)


def _completed(
    seen: Observation,
    exchange: Exchange,
    refused: tuple[Reason, str] | None,
    nonfinite_values: int | None = None,
) -> Observation:
    reason, detail = refused or (None, "")
    return replace(
        seen,
        reason=reason,
        detail=detail,
        answer=seen.answer or exchange.body.decode("utf-8", "replace"),
        status_code=exchange.status,
        duration_seconds=exchange.times.end - exchange.times.begin,
        retry_after_seconds=retry_after_seconds(exchange),
        nonfinite_values=seen.nonfinite_values if refused is None else nonfinite_values,
    )
