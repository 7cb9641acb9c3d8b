"""What each family of OpenAI-compatible servers accepts, and what a refusal teaches of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

Name = Literal[
    "auto", "openai", "openai_reasoning", "mistral", "vllm", "sglang", "ollama", "kserve"
]

_LIMITS = ("max_tokens", "max_completion_tokens")
_LEARNT = frozenset({*_LIMITS, "temperature", "seed", "random_seed", "stream_options"})
_LEAST_KNOWN = "stream_options"
_WORD = re.compile(r"[a-z_]+")
_SEARCHED_BYTES = 1 << 14
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
    optional: dict[str, Any] = {_limit(own.limit, left_out): max_tokens}
    if own.temperature:
        optional["temperature"] = 0
    if own.seed is not None:
        optional[own.seed] = 1
    if own.usage:
        optional["stream_options"] = {"include_usage": True}
    taken = {name: value for name, value in optional.items() if name not in left_out}
    return {**asked, "stream": True, **taken}


def _limit(name: str, left_out: frozenset[str]) -> str:
    """Name the limit, the other of the two where this one was refused."""
    other = _LIMITS[name == _LIMITS[0]]
    return other if name in left_out else name


def refused_fields(status: int | None, body: bytes) -> frozenset[str]:
    """Say which optional fields a 400 or 422 names as the reason of the refusal.

    OpenAI names one in `error.param`, servers on pydantic (Mistral's, vLLM's) in `detail[].loc`;
    of others the first name in the text counts. Where none is named it is taken to be the field
    that the fewest servers know.
    """
    if status not in {400, 422}:
        return frozenset()
    head = body[:_SEARCHED_BYTES]
    try:
        named = frozenset(_named(orjson.loads(head), 0)) & _LEARNT
    except orjson.JSONDecodeError:
        named = frozenset()
    if named:
        return named
    words = _WORD.findall(head.decode("utf-8", "replace"))
    return frozenset([*(word for word in words if word in _LEARNT), _LEAST_KNOWN][:1])


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
