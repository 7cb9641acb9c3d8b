"""How values are written on the pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

_LONGEST_LINK = 4000


def filters() -> Mapping[str, Callable[..., Any]]:
    """Give every template filter by name."""
    return {"moment": moment, "span": span, "quantity": quantity, "web_link": web_link}


def moment(at: float | None) -> Markup:
    """Write seconds since the epoch as UTC time, a dash where there is none."""
    if at is None:
        return Markup("&ndash;")
    try:
        text = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return Markup("{}").format(at)
    machine = text.replace(" ", "T") + "Z"
    return Markup('<time datetime="{}">{} UTC</time>').format(machine, text)


def span(seconds: float | None) -> str:
    """Write a number of seconds as a person says it."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def quantity(value: float | None, unit: str) -> str | Markup:
    """Write a typed number with its unit."""
    if value is None:
        return "-"
    if unit == "timestamp":
        return moment(value)
    if unit == "seconds":
        return span(value)
    if unit == "ratio":
        return f"{value * 100:.3g} %"
    if unit == "bytes":
        return f"{value / 1024**2:.1f} MiB" if abs(value) >= 1024**2 else f"{value:.0f} B"
    suffix = {"per_second": " /s", "count": ""}.get(unit, f" {unit}" if unit else "")
    return f"{value:.4g}{suffix}"


def web_link(link: str | None) -> str:
    """Give a link if it leads to a web address, else nothing."""
    text = link or ""
    is_web = text.startswith(("http://", "https://")) and len(text) <= _LONGEST_LINK
    return text if is_web else ""
