"""What an answer's headers say of rate limits: the part of each that is left."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

# OpenAI and those after it, Mistral with the window last: x-ratelimit-remaining-tokens-minute.
# Anthropic: anthropic-ratelimit-tokens-remaining.
_REMAINING = re.compile(
    r"(?P<before>x-ratelimit-)remaining(?P<after>-[a-z]+(?:-[a-z]+)?)"
    r"|(?P<whose>anthropic-ratelimit-[a-z]+(?:-[a-z]+)?-)remaining"
)
_RESOURCES = frozenset(
    f"{prefix}{resource}{window}"
    for prefix in ("", "input_", "output_")
    for resource in ("tokens", "requests")
    for window in ("", "_second", "_minute", "_hour", "_day", "_month")
)


def remaining_ratios(headers: Mapping[str, str]) -> dict[str, float]:
    """Return the part left, 0 to 1, of each limit that is told with its remainder, by resource.

    `headers` have names in small letters. Resources are a closed set: requests and tokens (all,
    input, output), with the window where it is named; others are passed over.
    """
    if "ratelimit" not in " ".join(headers):
        return {}  # the usual case
    return dict(_ratios(headers))


def _ratios(headers: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    for name, text in headers.items():
        match = _REMAINING.fullmatch(name)
        if match is None:
            continue
        pair = name.replace("remaining", "limit")
        left, limit = _number(text), _number(headers.get(pair, ""))
        resource = _resource(match["after"] or match["whose"] or "")
        if resource in _RESOURCES and left is not None and limit:
            yield resource, min(1.0, left / limit)


def _resource(part: str) -> str:
    words = part.removeprefix("anthropic-ratelimit-").strip("-").split("-")
    return "_".join("requests" if word == "req" else word for word in words)


def _number(text: str) -> float | None:
    try:
        number = float(text[:20])
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
