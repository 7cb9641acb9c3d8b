"""The landing page: every target with its state, and what failed last."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence

from exporter.probe import probes
from exporter.record import TargetRecord
from exporter.target import Outcome, State
from toolkit.arguments import version

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left;
  vertical-align: top; }
td { overflow-wrap: anywhere; }
.ok { color: #1a7f37; } .degraded, .saturated, .unknown { color: #9a6700; }
.wrong, .hung, .unresponsive, .down { color: #cf222e; }
"""

# Worst first.
_ORDER = (
    *(State.DOWN, State.HUNG, State.WRONG, State.UNRESPONSIVE, State.SATURATED),
    *(State.DEGRADED, State.UNKNOWN, State.OK),
)
_LINKS = ("metrics", "sd", "api/v1/targets", "-/healthy", "-/ready")


def landing(records: Sequence[TargetRecord], *, now: float) -> str:
    """Return the page; all text from outside is escaped."""
    worst_first = sorted(records, key=lambda record: _ORDER.index(record.state(now)))
    links = " · ".join(f'<a href="{link}">/{link}</a>' for link in _LINKS)
    rows = "".join(_row(record, now) for record in worst_first)
    failures = "".join(_failures(record) for record in worst_first if record.failures)
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8"><title>Vigie exporter</title>'
        '<link rel="stylesheet" href="style.css"></head><body>'
        f"<h1>Vigie exporter</h1><p>Version {html.escape(version())} · {links}</p>"
        "<table><thead><tr><th>target</th><th>state</th><th>kind, host</th>"
        "<th>last run</th><th>duration</th><th>reason</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{failures}</body></html>\n"
    )


def _row(record: TargetRecord, now: float) -> str:
    state, last = record.state(now), record.current(now)
    cells = (
        html.escape(record.target.name or ""),
        f'<span class="{state}">{state}</span>',
        html.escape(f"{probes.kind_of(record.target)}, {record.target.host}"),
        _when(record.last_run_timestamp_seconds),
        f"{last.observation.duration_seconds:.3f} s" if last else "-",
        html.escape(f"{last.reason}: {last.detail}") if last and last.reason else "-",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _failures(record: TargetRecord) -> str:
    rows = "".join(_failure(outcome) for outcome in record.failures)
    return (
        f"<h2>Last failures of {html.escape(record.target.name or '')}</h2>"
        "<table><thead><tr><th>when</th><th>reason</th><th>status</th><th>what</th>"
        f"<th>answer</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _failure(outcome: Outcome) -> str:
    cells = (
        _when(outcome.finished_timestamp_seconds),
        str(outcome.reason),
        str(outcome.observation.status_code or "-"),
        html.escape(outcome.detail),
        html.escape(outcome.excerpt),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _when(timestamp_seconds: float | None) -> str:
    if timestamp_seconds is None:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(timestamp_seconds))
