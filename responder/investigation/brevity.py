"""A model's report cut to what a report may hold, where it says too much rather than wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST: Mapping[str, int] = {"headline": 300, "text": 600, "source": 200}
LONGEST_ACTION = 400
MOST: Mapping[str, int] = {
    "summary": 6,
    "causes": 5,
    "claims": 8,
    "ruled_out": 8,
    "actions": 8,
    "evidence": 12,
}
DEEPEST = 6


def shortened(value: Any, key: str = "", longest: int = 0, depth: int = 0) -> Any:
    """Cut lists and texts to their limits, texts between two words; all else is left as it is."""
    if depth > DEEPEST:
        return value
    if isinstance(value, dict):
        limit = LONGEST_ACTION if key == "actions" else 0
        return {k: shortened(v, k, limit, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [shortened(each, key, longest, depth + 1) for each in value[: MOST.get(key)]]
    limit = min(longest or len(value), LONGEST[key]) if _has_limit(value, key) else 0
    return _cut(value, limit) if limit and len(value) > limit else value


def _has_limit(value: Any, key: str) -> bool:
    return isinstance(value, str) and key in LONGEST


def _cut(text: str, limit: int) -> str:
    """Cut between words, so that no number loses a digit; a text of one word is cut anywhere."""
    kept = text[: limit - 1].rpartition(" ")[0]
    return (kept or text[: limit - 1]) + "\u2026"
