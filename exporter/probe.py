"""The contract of a probe and its registry; one protocol each in probes/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Protocol, cast, runtime_checkable

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from exporter.check import Check
from exporter.target import Exchange, Observation, PromptKind, Target
from exporter.transport import Request, Transport
from toolkit.plugins import Registry
from toolkit.settings import Settings

_REQUIRED = re.compile(r"(\d{1,3}) of (\d{1,3})")
_MOST_RUNS = 100


class Required(Settings):
    """How many of a canary's last runs must be right."""

    needed: int = Field(1, ge=1, le=_MOST_RUNS, description="right answers among the last runs")
    among: int = Field(1, ge=1, le=_MOST_RUNS, description="how many runs are looked at")


def _read_required(value: Any) -> Any:
    if isinstance(value, Required):
        return value
    match = _REQUIRED.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('not of the form "k of n"; write e.g. 2 of 3')
    needed, among = int(match[1]), int(match[2])
    if not 1 <= needed <= among <= _MOST_RUNS:
        raise ValueError(
            f"{needed} of {among} cannot be; write k of n with 1 <= k <= n <= {_MOST_RUNS}"
        )
    return Required(needed=needed, among=among)


_ONCE = Required()

KOfN = Annotated[Required, BeforeValidator(_read_required, json_schema_input_type=str)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One thing that a target is asked, and what a right answer is.

    `canary` is empty for a kind that asks but one thing; `prompt` labels the timings of a language
    model and is None elsewhere; an `optional` question under its k of n only degrades.
    `cost_tokens` is what one run may cost, `left_out` what of a request the server is known to
    refuse, and `request` what is sent, where it is the same each time and holds no credential.
    """

    canary: str = ""
    text: str = ""
    checks: tuple[Check, ...] = ()
    required: Required = _ONCE
    optional: bool = False
    prompt: PromptKind | None = None
    cost_tokens: int = 0
    left_out: frozenset[str] = frozenset()
    request: Request | None = None


@runtime_checkable
class Probe(Protocol):
    """One protocol's way to ask; implemented by the kinds, which are Targets with own fields."""

    def questions(self) -> tuple[Question, ...]:
        """Return what is asked, in turn, one a run; never empty."""
        ...

    async def collect(self, question: Question, transport: Transport) -> Exchange:
        """Send one real request; never retries, never raises for what the endpoint does."""
        ...

    def preprocess(self, question: Question, exchange: Exchange) -> Observation:
        """Read the exchange in the protocol's terms; pure."""
        ...


probes: Registry[Probe] = Registry("probe")


def probe_of(target: Target) -> Probe:
    """Return the target as the probe that it is.

    Raises TypeError for a target whose kind does not hold the contract.
    """
    if not _is_probe(type(target)):
        raise TypeError(f"{type(target).__name__}: not a probe; give it the methods of Probe")
    return cast("Probe", target)


@cache
def _is_probe(kind: type[Target]) -> bool:
    """Say whether a kind holds the contract; looked at once, for each run asks."""
    return issubclass(kind, Probe)


def read_url(target: Target, url: str) -> str:
    """Return an address that the target's kind can ask, as it is; ValueError says what is wrong."""
    try:
        read: str = _url_reader(type(target)).validate_python(url)
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from None
    return read


@cache
def _url_reader(kind: type[Target]) -> TypeAdapter[Any]:
    declared: Any = kind.model_fields["url"].annotation
    return TypeAdapter(declared)
