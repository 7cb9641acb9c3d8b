"""How values are written on the pages."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from responder.guard import clean, mask_secrets

_LONGEST_LINK = 4000
_LONGEST_EXCERPT = 4000
_INCIDENT = re.compile(r"\bincident ([0-9a-f]{16})\b")


def filters() -> Mapping[str, Callable[..., Any]]:
    """Give every template filter by name."""
    return {
        "moment": moment,
        "span": span,
        "quantity": quantity,
        "web_link": web_link,
        "linked": linked,
        "excerpt": excerpt,
        "masked": masked,
    }


def linked(text: str) -> Markup:
    """Write a text in which every incident that it names is a link to its page."""
    parts, end = [], 0
    for found in _INCIDENT.finditer(text):
        parts += [escape(text[end : found.start()]), _incident_link(found[1])]
        end = found.end()
    return Markup().join([*parts, escape(text[end:])])


def _incident_link(incident_id: str) -> Markup:
    return Markup('<a href="/incidents/{0}">incident {0}</a>').format(incident_id)


def excerpt(body: bytes) -> str:
    """Write the beginning of a body as text: what cannot be seen stripped, secrets masked."""
    return mask_secrets(clean(body.decode("utf-8", "replace"), _LONGEST_EXCERPT))


def masked(text: str) -> str:
    """Write a text with its secrets masked."""
    return mask_secrets(text)


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
