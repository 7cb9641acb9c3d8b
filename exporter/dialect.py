"""What each family of OpenAI-compatible servers accepts, and what a refusal teaches of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from exporter.target import Observation

Name = Literal[
    "auto", "openai", "openai_reasoning", "mistral", "vllm", "sglang", "ollama", "kserve"
]

_LIMITS = ("max_tokens", "max_completion_tokens")
_LEARNT = frozenset({*_LIMITS, "temperature", "seed", "random_seed", "stream_options"})
_LEAST_KNOWN = "stream_options"
_WORD = re.compile(r"[a-z_]+")
_SEARCHED_BYTES = 1 << 14
_REFUSALS = frozenset({400, 422})
_PLACES = frozenset({"body", "query", ""})
_MOST_DEPTH = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """The names that differ; None where a server refuses the field or may not know it."""

    limit: str = "max_tokens"
    seed: str | None = None
    usage: bool = True
    temperature: bool = True
    root: str = "v1"


DIALECTS: Mapping[Name, Dialect] = {
    # Begins with what most servers take; what one refuses by name is left out from then on.
    "auto": Dialect(),
    "openai": Dialect(limit="max_completion_tokens", seed="seed"),
    # Reasoning models refuse max_tokens, a seed, and any temperature but their own.
    "openai_reasoning": Dialect(limit="max_completion_tokens", temperature=False),
    # Refuses unknown fields with 422; sends usage in its last chunk unasked.
    "mistral": Dialect(seed="random_seed", usage=False),
    "vllm": Dialect(seed="seed"),
    "sglang": Dialect(),
    "ollama": Dialect(seed="seed"),
    "kserve": Dialect(seed="seed", root="openai/v1"),
}


def path(dialect: Name, ending: str) -> str:
    """Return where a dialect's servers have an API of OpenAI's."""
    return f"{DIALECTS[dialect].root}/{ending}"


def streamed(
    dialect: Name,
    asked: Mapping[str, Any],
    *,
    max_tokens: int,
    left_out: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Build the body of a request for a stream.

    `asked` holds the model and the prompt; `left_out` the fields that the server has refused.
    """
    own = DIALECTS[dialect]
    optional: dict[str, Any] = {}
    if own.temperature:
        optional["temperature"] = 0
    if own.seed is not None:
        optional[own.seed] = 1
    if own.usage:
        optional["stream_options"] = {"include_usage": True}
    taken = {name: value for name, value in optional.items() if name not in left_out}
    # What it costs stays bounded: a limit is given another name, and never left out.
    return {**asked, "stream": True, _limit(own.limit, left_out): max_tokens, **taken}


def _limit(name: str, left_out: frozenset[str]) -> str:
    """Name the limit, the other of the two where this one was refused and the other was not."""
    other = _LIMITS[name == _LIMITS[0]]
    return other if name in left_out and other not in left_out else name


def refused_fields(status: int | None, body: bytes) -> frozenset[str] | None:
    """Say which optional fields a 400 or 422 names as the reason of the refusal.

    OpenAI names one in `error.param`, servers on pydantic (Mistral's, vLLM's) in `detail[].loc`. Of
    others the first name in the text counts; what they name may be none of ours. Returns None where
    nothing was refused, or what we must send was; an empty set where nothing is named.
    """
    if status not in _REFUSALS:
        return None
    head = body[:_SEARCHED_BYTES]
    try:
        named = frozenset(_named(orjson.loads(head), 0)) - _PLACES
    except orjson.JSONDecodeError:
        named = frozenset()
    if named:
        return (named & _LEARNT) or None
    words = _WORD.findall(head.decode("utf-8", "replace"))
    return frozenset([word for word in words if word in _LEARNT][:1])


@dataclass(kw_only=True, slots=True)
class Learnt:
    """What one server's refusals have taught of it.

    Where a refusal names no field, the one that the fewest servers know is left out for a try; it
    stays so when the server then answers, and comes back for good when it refuses all the same.
    """

    named: frozenset[str] = frozenset()
    guess: Literal["open", "tried", "right", "wrong"] = "open"

    @property
    def left_out(self) -> frozenset[str]:
        """The fields that are not sent any more."""
        return self.named | {_LEAST_KNOWN} if self.guess in {"tried", "right"} else self.named

    def hear(self, seen: Observation) -> None:
        """Learn from a run; `seen.refused_fields` is None where there is nothing to learn."""
        if seen.refused_fields:
            self.named |= seen.refused_fields
        elif seen.refused_fields is not None:
            self.guess = _AFTER_REFUSAL.get(self.guess, self.guess)
        elif self.guess == "tried" and 200 <= (seen.status_code or 0) < 300:
            self.guess = "right"


_AFTER_REFUSAL: Mapping[str, Literal["tried", "wrong"]] = {"open": "tried", "tried": "wrong"}


def _named(document: Any, depth: int) -> Iterator[str]:
    """Yield what a document gives as a parameter or as the place of an error."""
    if depth > _MOST_DEPTH:
        return
    if isinstance(document, list):
        for each in document:
            yield from _named(each, depth + 1)
    if not isinstance(document, dict):
        return
    param, loc = document.get("param"), document.get("loc")
    if isinstance(param, str):
        yield param.partition(".")[0]
    if isinstance(loc, list):
        yield from (each for each in loc if isinstance(each, str))
    for value in document.values():
        yield from _named(value, depth + 1)
