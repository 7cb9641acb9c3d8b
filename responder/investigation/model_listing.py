"""A server's list of models, read tolerantly: whether one is on it, and when it is retired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from responder.investigation.model_pace import moment_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """What a list says of one model; None where it does not say."""

    is_listed: bool | None = None
    retires_at: float | None = None


def told_of(body: Any, model: str) -> Listed:
    """Look a model up by its id or one of its aliases.

    Mistral's list has `aliases` and `deprecation` (a date of ISO 8601 or null); those of vLLM and
    Ollama have ids alone. A body that is no list tells nothing.
    """
    cards = list(_cards(body))
    if not cards:
        return Listed()
    for card in cards:
        aliases = card.get("aliases")
        names = [card.get("id"), *(aliases if isinstance(aliases, list) else ())]
        # Ollama lists `name:latest` for what is asked for as `name`.
        if model in names or f"{model}:latest" in names:
            return Listed(is_listed=True, retires_at=moment_of(str(card.get("deprecation") or "")))
    return Listed(is_listed=False)


def _cards(body: Any) -> Iterator[Mapping[str, Any]]:
    listed = body.get("data") if isinstance(body, Mapping) else body
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, Mapping) and each.get("id"):
            yield each
