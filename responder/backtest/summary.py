"""What a backtest came to: a table, JSON, and a file for each report."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path

import orjson
from rich.table import Table

from responder.backtest.trial import Trial
from responder.guard import line
from responder.investigation.render import render

_LONGEST_NAME = 80
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


def row(trial: Trial) -> dict[str, object]:
    """Give one trial as plain data, without what differs from run to run."""
    incident, report = trial.past.incident, trial.report
    first = report.causes[0] if report.causes else None
    return {
        "incident": incident.id,
        "fired_at": incident.opened_at,
        "alerts": list(incident.alertnames),
        "targets": list(incident.targets),
        "severity": incident.severity,
        "headline": report.headline,
        "component": first.component if first else None,
        "kind": first.kind.value if first else None,
        "confidence": first.confidence.value if first else None,
        "decision": report.decision.kind.value,
    }


def as_json(trials: Sequence[Trial]) -> str:
    """Give all trials as JSON, the oldest first."""
    rows = {"incidents": [row(each) for each in trials]}
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode()


def table(trials: Sequence[Trial]) -> Table:
    """Lay out a row for each trial."""
    made = Table(title=f"{len(trials)} reports that there would have been")
    for name in ("fired (UTC)", "alert", "target", "first cause", "confidence", "decision", "s"):
        made.add_column(name, overflow="fold")
    for each in trials:
        found = row(each)
        cause = f"{found['component']} {found['kind']}" if found["component"] else "-"
        alerts, targets = each.past.incident.alertnames, each.past.incident.targets
        made.add_row(
            _moment(each.past.incident.opened_at),
            line(", ".join(alerts), 120),
            line(", ".join(targets), 120) or "-",
            line(cause, 120),
            str(found["confidence"] or "-"),
            str(found["decision"]),
            f"{each.seconds:.1f}",
        )
    return made


def save(trial: Trial, folder: Path) -> Path:
    """Write a report as text and as JSON; raises FileExistsError rather than write over one."""
    incident = trial.past.incident
    about = "-".join((*incident.alertnames[:1], *incident.targets[:1]))
    when = f"{dt.datetime.fromtimestamp(incident.opened_at, dt.UTC):%Y%m%dT%H%M%SZ}"
    # An alert may be named anything; a file may not.
    name = _NOT_IN_NAMES.sub("_", f"{when}-{about}")[:_LONGEST_NAME]
    path = folder / f"{name}-{incident.id}.txt"
    with path.open("x", encoding="utf-8", errors="replace") as file:
        file.write(render(trial.report))
    with path.with_suffix(".json").open("xb") as data:
        data.write(orjson.dumps(trial.report.model_dump(mode="json"), option=orjson.OPT_INDENT_2))
    return path


def _moment(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M:%S}"
