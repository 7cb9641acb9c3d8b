"""What all dashboards share: their settings, their choices, and the limits of the rules."""

from __future__ import annotations

import math
from pathlib import Path

import yaml
from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from grafana.panels import DATASOURCE

_THRESHOLDS = Path(__file__).parent.parent / "rules" / "recording" / "thresholds.yml"


def threshold(record: str) -> float:
    """Read a limit from the rules, where it is written once; raises KeyError for another name."""
    groups = yaml.safe_load(_THRESHOLDS.read_text(encoding="utf-8"))["groups"]
    found = {rule["record"]: rule["expr"] for group in groups for rule in group["rules"]}
    return math.prod(float(factor) for factor in str(found[record]).split("*"))


def board(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """Begin a dashboard: its name, its time span, and the data source that its panels ask."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["vigie"])
        .timezone("browser")
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Data Source").type("prometheus")
        )
    )


def choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """Let who reads choose among the values that *query* gives, all of them at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": name})
        .definition(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(model.VariableOption(text="All", value="$__all"))
    )
