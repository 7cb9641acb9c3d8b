"""How numbers and times are printed in a report; grounding reads the same forms back."""

from __future__ import annotations

import datetime as dt
import math

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0


def number(value: float) -> str:
    """Print about three significant digits, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "unknown"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(seconds: float) -> str:
    """Print a duration in the unit that suits it."""
    size = abs(seconds)
    if size < 1:
        return f"{number(seconds * 1000)} ms"
    if size < 2 * MINUTE:
        return f"{number(seconds)} s"
    if size < 2 * HOUR:
        return f"{seconds / MINUTE:.1f} min"
    if size < 2 * DAY:
        return f"{seconds / HOUR:.1f} h"
    return f"{seconds / DAY:.1f} days"


def clock(at: float) -> str:
    """Print a time of day in UTC, to the second."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S")


def date(at: float) -> str:
    """Print a date and time in UTC, to the minute."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M")


def amount(value: float, unit: str) -> str:
    """Print a value with its unit (those of Quantity)."""
    if unit == "seconds":
        return span(value)
    if unit == "ratio":
        return f"{number(100 * value)} %"
    if unit == "timestamp":
        return clock(value)
    if unit == "per_second":
        return f"{number(value)}/s"
    if unit == "bytes":
        return _bytes(value)
    return number(value)


def _bytes(value: float) -> str:
    for name, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= size:
            return f"{number(value / size)} {name}"
    return f"{number(value)} B"


def times(factor: float) -> str:
    """Print how many times as much."""
    return f"{factor:.0f}x" if factor >= 10 else f"{factor:.1f}x"


def listed(names: tuple[str, ...] | list[str]) -> str:
    """Join names as a sentence does."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
