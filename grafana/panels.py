"""Panels that cannot be made without a title, a description and a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel: TypeAlias = (
    bargauge.Panel | stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel
)
# The kinds of builder share the methods used here, and no type.
P = TypeVar("P", bargauge.Panel, stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)
Mappings: TypeAlias = list[model.ValueMap | model.RangeMap | model.RegexMap | model.SpecialValueMap]


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What every panel says of itself, and its size; the grid is 24 wide."""

    title: str
    description: str
    unit: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of a table: which query or label it shows, under which title."""

    field: str
    title: str
    unit: str = ""
    width: int = 0
    mappings: Mappings | None = None
    thresholds: Sequence[model.Threshold] = ()
    link: str = ""


def line(expr: str, legend: str) -> prometheus.Dataquery:
    """Ask for a series over the time shown."""
    return prometheus.Dataquery().expr(expr).legend_format(legend).range()


def moment(expr: str, legend: str = "") -> prometheus.Dataquery:
    """Ask for the present value."""
    return prometheus.Dataquery().expr(expr).legend_format(legend).instant()


def rows(expr: str, ref: str) -> prometheus.Dataquery:
    """Ask for the present value with its labels as columns."""
    return moment(expr).format(PromQueryFormat.TABLE).ref_id(ref)


def steps(*pairs: tuple[float | None, str]) -> list[model.Threshold]:
    """Colours from these values on; the first pair has None."""
    return [model.Threshold(value=value, color=color) for value, color in pairs]


def number(
    about: About, query: prometheus.Dataquery, thresholds: list[model.Threshold]
) -> stat.Panel:
    """Show one number."""
    return _said(stat.Panel(), about).with_target(query).thresholds(_absolute(thresholds))


def chart(
    about: About, queries: Sequence[prometheus.Dataquery], *, stacked_bars: bool = False
) -> timeseries.Panel:
    """Show series over time, as lines or as stacked bars."""
    panel = _said(timeseries.Panel(), about).targets([*queries]).legend(_legend()).min(0)
    panel = panel.tooltip(
        common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    ).show_points(VisibilityMode.NEVER)
    if not stacked_bars:
        return panel.fill_opacity(10)
    stacking = common.StackingConfig().mode(StackingMode.NORMAL).group("A")
    return panel.draw_style(GraphDrawStyle.BARS).fill_opacity(80).stacking(stacking)


def states(about: About, query: prometheus.Dataquery, mappings: Mappings) -> statetimeline.Panel:
    """Show which state held when."""
    panel = _said(statetimeline.Panel(), about).with_target(query).mappings(mappings)
    return panel.merge_values(True).show_value(VisibilityMode.AUTO).legend(_legend())


def bars(
    about: About, query: prometheus.Dataquery, thresholds: list[model.Threshold]
) -> bargauge.Panel:
    """Show one bar for each series."""
    panel = _said(bargauge.Panel(), about).with_target(query).thresholds(_absolute(thresholds))
    return panel.orientation(VizOrientation.HORIZONTAL)


def sheet(
    about: About,
    queries: Sequence[prometheus.Dataquery],
    columns: Sequence[Column],
    *,
    sorted_by: tuple[str, bool] | None = None,
) -> table.Panel:
    """Show these columns in this order; `sorted_by` is a title, and True when falling."""
    panel = _said(table.Panel(), about).targets([*queries])
    for transformation in _joined(columns, merged=len(queries) > 1):
        panel = panel.with_transformation(transformation)
    for column in columns:
        panel = panel.override_by_name(column.title, _properties(column))
    if sorted_by is not None:
        title, falling = sorted_by
        panel = panel.sort_by([common.TableSortByFieldState().display_name(title).desc(falling)])
    return panel


def _said(panel: P, about: About) -> P:
    return (
        panel.title(about.title)
        .description(about.description)
        .unit(about.unit)
        .span(about.width)
        .height(about.height)
        .datasource(DATASOURCE)
    )


def _absolute(thresholds: list[model.Threshold]) -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(thresholds)


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
    return legend.placement(LegendPlacement.BOTTOM).show_legend(True)


def _joined(columns: Sequence[Column], *, merged: bool) -> list[model.DataTransformerConfig]:
    """Join the queries' rows on their labels; then keep, order and name the columns."""
    names = [column.field for column in columns]
    kept = {"include": {"names": names}}
    organised: Mapping[str, Any] = {
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": {column.field: column.title for column in columns},
    }
    found = [model.DataTransformerConfig(id_val="merge", options={})] if merged else []
    return [
        *found,
        model.DataTransformerConfig(id_val="filterFieldsByName", options=kept),
        model.DataTransformerConfig(id_val="organize", options=organised),
    ]


def _properties(column: Column) -> list[model.DynamicConfigValue]:
    found: dict[str, object] = {}
    if column.unit:
        found["unit"] = column.unit
    if column.width:
        found["custom.width"] = column.width
    if column.mappings:
        found["mappings"] = column.mappings
    if column.thresholds:
        found["thresholds"] = {"mode": "absolute", "steps": [*column.thresholds]}
    if column.mappings or column.thresholds:
        found["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
    if column.link:
        link = {"title": f"Open {column.title.lower()}", "url": column.link}
        found["links"] = [link | {"targetBlank": column.link.startswith("${")}]
    return [model.DynamicConfigValue(id_val=name, value=value) for name, value in found.items()]
