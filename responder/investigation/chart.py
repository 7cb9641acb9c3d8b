"""Small line charts as SVG: no script, no style, nothing fetched, any text escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np

from responder.investigation.evidence import Floats
from responder.investigation.wording import amount, clock

WIDTH, HEIGHT = 640, 180
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 24, 24
COLOURS = ("#1f6feb", "#b35900", "#2da44e", "#8250df", "#57606a")
ONSET_COLOUR = "#cf222e"
MOST_SERIES = 5
MOST_POINTS = 240
# What draws PNG knows no generic family: one of the common fonts must stand there by its name.
_FONTS = "sans-serif, DejaVu Sans, Liberation Sans, Noto Sans, Helvetica"


def chart(
    times: Floats,
    series: Sequence[tuple[str, Floats]],
    *,
    title: str,
    unit: str,
    onset_at: float | None,
) -> str:
    """Draw up to five series over time, the onset marked; empty where nothing can be drawn."""
    shown = [(name, values) for name, values in series if np.isfinite(values).any()][:MOST_SERIES]
    if not shown or len(times) < 2:
        return ""
    low, high = _bounds([values for _, values in shown])
    plot = _Plot(start=float(times[0]), end=float(times[-1]), low=low, high=high)
    label = escape(title, {'"': "&quot;"})
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"',
        f' aria-label="{label}" font-family="{_FONTS}" font-size="11">',
        f"<title>{label}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="14" fill="#24292f">{label}</text>',
        *_axes(plot, unit),
    ]
    for number, (name, values) in enumerate(shown):
        parts += _line(plot, times, values, COLOURS[number], name)
    if onset_at is not None and plot.start <= onset_at <= plot.end:
        x = plot.x(onset_at)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" '
            f'stroke="{ONSET_COLOUR}" stroke-dasharray="3 3"/>'
        )
    return "".join((*parts, "</svg>"))


class _Plot:
    """Maps times and values to the drawing."""

    def __init__(self, *, start: float, end: float, low: float, high: float) -> None:
        self.start, self.end, self.low, self.high = start, end, low, high

    def x(self, at: float) -> float:
        """Map a time to the horizontal place."""
        share = (at - self.start) / max(self.end - self.start, 1e-9)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Map a value to the vertical place."""
        share = (value - self.low) / max(self.high - self.low, 1e-300)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _bounds(series: Sequence[Floats]) -> tuple[float, float]:
    low = min(float(np.nanmin(each)) for each in series)
    high = max(float(np.nanmax(each)) for each in series)
    # From zero where that is not far off, so that a small change does not look like a large one.
    low = 0.0 if 0 < low < 0.6 * high else low
    return (low, high) if high > low else (low - 0.5 * abs(low) - 0.5, high + 0.5 * abs(high) + 0.5)


def _axes(plot: _Plot, unit: str) -> list[str]:
    parts = []
    for value in (plot.low, plot.high):
        y = plot.y(value)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d0d7de"/>'
            f'<text x="{LEFT - 4}" y="{y + 4:.1f}" fill="#57606a" text-anchor="end">'
            f"{escape(amount(value, unit))}</text>"
        )
    for at, anchor in ((plot.start, "start"), (plot.end, "end")):
        parts.append(
            f'<text x="{plot.x(at):.1f}" y="{HEIGHT - 8}" fill="#57606a" '
            f'text-anchor="{anchor}">{clock(at)}</text>'
        )
    return parts


def _line(plot: _Plot, times: Floats, values: Floats, colour: str, name: str) -> list[str]:
    step = max(1, math.ceil(len(times) / MOST_POINTS))
    runs: list[list[str]] = [[]]
    for at, value in zip(times[::step], values[::step], strict=True):
        if math.isfinite(value):
            runs[-1].append(f"{plot.x(float(at)):.1f},{plot.y(float(value)):.1f}")
        elif runs[-1]:
            runs.append([])
    title = f"<title>{escape(name)}</title>"
    return [
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{" ".join(run)}">'
        f"{title}</polyline>"
        for run in runs
        if len(run) > 1
    ]
