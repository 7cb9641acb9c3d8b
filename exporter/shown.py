"""How values are written on the pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup

from exporter.target import State

_MARKS = {
    State.OK: "\N{CHECK MARK}",
    State.DEGRADED: "\N{CIRCLE WITH LEFT HALF BLACK}",
    State.WRONG: "\N{NOT EQUAL TO}",
    State.SATURATED: "\N{BLACK CIRCLE}",
    State.HUNG: "\N{BLACK SQUARE}",
    State.UNRESPONSIVE: "\N{WHITE CIRCLE}",
    State.DOWN: "\N{MULTIPLICATION X}",
    State.UNKNOWN: "?",
}


def filters() -> Mapping[str, Callable[..., Any]]:
    """Give every template filter by name."""
    return {
        "moment": moment,
        "span": span,
        "state": state,
        "number": number,
        "segment": segment,
        "query": urlencode,
    }


def moment(at: float | None) -> Markup:
    """Write unix seconds as UTC time, a dash where there is none."""
    if at is None:
        return Markup("&ndash;")
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    machine = text.replace(" ", "T") + "Z"
    return Markup('<time datetime="{}">{} UTC</time>').format(machine, text)


def span(seconds: float | None) -> str:
    """Write a duration with three figures, in the unit that fits."""
    if seconds is None:
        return "-"
    if seconds < 9.995e-4:
        return f"{_three(seconds * 1e6)} µs" if seconds else "0 s"
    if seconds < 0.9995:
        return f"{_three(seconds * 1e3)} ms"
    return f"{_three(seconds)} s"


def _three(value: float) -> str:
    places = 2 if value < 9.995 else 1 if value < 99.95 else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def state(of: State) -> Markup:
    """Write a state with a mark of its own, since not everybody sees its colour."""
    text = '<span class="state {0}"><span class="mark" aria-hidden="true">{1}</span> {0}</span>'
    return Markup(text).format(of.value, _MARKS[of])  # noqa: S704 - a text of ours


def number(value: int) -> str:
    """Write a number with its thousands apart."""
    return f"{value:,}"


def segment(name: str) -> str:
    """Write a target's name as one segment of an address."""
    return quote(name, safe="")
