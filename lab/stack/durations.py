"""Prometheus durations, alone and inside PromQL, divided by a factor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_SCRAPES = 4
"""A range must hold this many scrapes for `rate` and its kin to have something to work on."""

_UNITS_MILLISECONDS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_PRINTED_UNITS = ("h", "m", "s", "ms")
_DURATION = re.compile(
    "".join(rf"(?:(?P<{unit}>[0-9]+){unit})?" for unit in _UNITS_MILLISECONDS), re.ASCII
)
_WINDOW = re.compile(r"(?P<open>\[\s*)(?P<range>\w+)(?P<rest>\s*(?::\s*(?P<step>\w*)\s*)?\])")
_TOKEN = re.compile(
    r"""(?P<string> "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` )
      | (?P<blank>  \s+ | \#[^\n]* )
      | (?P<window> \[ [^\]]* \] )
      | (?P<word>   [A-Za-z_:][A-Za-z0-9_:]* )
      | (?P<number> [0-9][0-9A-Za-z_.]* )
      | (?P<other>  . )""",
    re.VERBOSE | re.DOTALL,
)


def parse_duration(text: str) -> int:
    """Read a duration such as `1h30m`, `500ms` or `0`, in milliseconds.

    Units come in falling order, each at most once. Raises ValueError for anything else. Source: the
    `<duration>` placeholder of Prometheus's configuration.
    """
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{text!r} is no Prometheus duration; write it like 30s, 1h30m or 500ms")
    counts = match.groupdict(default="0")
    return sum(int(counts[unit]) * size for unit, size in _UNITS_MILLISECONDS.items())


def format_duration(milliseconds: int) -> str:
    """Write milliseconds as a duration that Prometheus reads as the same."""
    parts: list[str] = []
    left = milliseconds
    for unit in _PRINTED_UNITS:
        count, left = divmod(left, _UNITS_MILLISECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def scale_duration(text: str, factor: float, *, floor_milliseconds: int = 1) -> str:
    """Divide a duration by `factor`, to whole milliseconds, but never to less than the floor.

    Zero stays zero, since it means "at once" or "off". Raises ValueError where `text` is none.
    """
    if factor <= 0:
        raise ValueError(f"the factor is {factor}; it must be above zero")
    milliseconds = parse_duration(text)
    if milliseconds == 0:
        return text
    return format_duration(max(floor_milliseconds, round(milliseconds / factor)))


def scale_expression(expression: str, factor: float, *, scrape_interval: str) -> str:
    """Divide the durations of a PromQL expression: ranges, subqueries with their step, offsets.

    All else stays as it is to the byte: strings, matchers, comments, numbers, `@` times, durations
    that stand for a number. A range is never made shorter than four scrapes, where
    `scrape_interval` is the unscaled one. Raises ValueError for a range that is no plain duration.
    """
    least = LEAST_SCRAPES * parse_duration(scale_duration(scrape_interval, factor))
    return "".join(_scaled_tokens(expression, factor, least))


def _scaled_tokens(expression: str, factor: float, least_milliseconds: int) -> Iterator[str]:
    after_offset = False
    for match in _TOKEN.finditer(expression):
        kind, token = match.lastgroup, match.group()
        if kind == "window":
            yield _scale_window(token, factor, least_milliseconds)
        elif kind == "number" and after_offset and _is_duration(token):
            yield scale_duration(token, factor)
        else:
            yield token
        # A sign may stand between the keyword and its duration: `offset -5m`.
        between = kind == "blank" or token in {"-", "+"}
        after_offset = token.lower() == "offset" or (after_offset and between)


def _scale_window(token: str, factor: float, least_milliseconds: int) -> str:
    match = _WINDOW.fullmatch(token)
    if match is None:
        raise ValueError(f"{token} is no plain range; write it like [5m] or [1h:30s]")
    window = scale_duration(match["range"], factor, floor_milliseconds=least_milliseconds)
    rest, step = match["rest"], match["step"]
    if step:
        rest = rest.replace(step, scale_duration(step, factor), 1)
    return match["open"] + window + rest


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True
