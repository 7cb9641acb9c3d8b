"""What each family of OpenAI-compatible servers accepts in a chat request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Name = Literal["auto", "openai", "mistral", "vllm"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """The names that differ; None where a server refuses the field or may not know it."""

    limit: str = "max_tokens"
    seed: str | None = None
    usage: bool = False
    temperature: bool = True


DIALECTS: Mapping[Name, Dialect] = {
    # Only what every server takes: usage may then be absent.
    "auto": Dialect(),
    # Reasoning models refuse max_tokens and any temperature but their own.
    "openai": Dialect(limit="max_completion_tokens", usage=True, temperature=False),
    # Refuses unknown fields with 422; sends usage in its last chunk unasked.
    "mistral": Dialect(seed="random_seed"),
    "vllm": Dialect(seed="seed", usage=True),
}


def chat_request(
    dialect: Name, *, model: str, messages: list[dict[str, str]], max_tokens: int
) -> dict[str, Any]:
    """Build the body of a streamed chat request."""
    own = DIALECTS[dialect]
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
    body[own.limit] = max_tokens
    if own.temperature:
        body["temperature"] = 0
    if own.seed is not None:
        body[own.seed] = 1
    if own.usage:
        body["stream_options"] = {"include_usage": True}
    return body
