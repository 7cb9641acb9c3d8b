"""The exporter's own health: its schedule, its clock, what it lists, leaves out and keeps."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from grafana import panels
from grafana.boards import board, choice
from grafana.panels import About, Panel

_JOB = '{job=~"$exporters"}'
_ZERO_IS_WELL = ((None, "green"), (1.0, "red"))


def exporter() -> dashboard.Dashboard:
    """Show whether the exporter runs what is planned, exactly, and shows all that it saw."""
    made = board(
        "vigie-exporter",
        "Vigie: exporter",
        "The exporter's own health: schedule, clock, discovery, budgets, exposition.",
    ).with_variable(
        choice("exporters", "Exporter job", "label_values(vigie_exporter_build_info, job)")
    )
    for number, panel in enumerate(
        (*_numbers(), *_schedule(), *_exactness(), *_lists(), _spent()), 1
    ):
        made = made.with_panel(panel.id(number))
    return made


def _about(title: str, description: str, unit: str = "short", *, wide: bool = True) -> About:
    size = (12, 8) if wide else (4, 4)
    return About(title=title, description=description, unit=unit, width=size[0], height=size[1])


def _small(
    title: str,
    description: str,
    query: str,
    colours: tuple[tuple[float | None, str], ...],
    unit: str = "short",
) -> Panel:
    about = _about(title, description, unit, wide=False)
    return panels.number(about, panels.moment(query), panels.steps(*colours))


def _numbers() -> tuple[Panel, ...]:
    failed = f"increase(vigie_exporter_storage_failures_total{_JOB}[$__range])"
    return (
        _small(
            "Targets",
            "Targets that the exporters watch; with none, look at the discovery below.",
            f"sum(vigie_exporter_targets{_JOB})",
            ((None, "red"), (1.0, "green")),
        ),
        _small(
            "Configuration",
            "1 when every exporter took its configuration; at 0 the log names the fault.",
            f"min(vigie_exporter_config_last_reload_successful{_JOB})",
            ((None, "red"), (1.0, "green")),
        ),
        _small(
            "Series left out",
            "Series that max_series keeps from Prometheus; raise it, or watch fewer targets.",
            f"sum(vigie_exporter_series_left_out{_JOB})",
            _ZERO_IS_WELL,
        ),
        _small(
            "Agents that died",
            "Agents that died of a fault of ours and were started again; report what the log says.",
            f"sum(increase(vigie_exporter_agent_deaths_total{_JOB}[$__range]))",
            _ZERO_IS_WELL,
        ),
        _small(
            "Not kept",
            "Times that what was spent could not be read or written; see to the folder.",
            f"sum({failed})",
            _ZERO_IS_WELL,
        ),
        _small(
            "Least budget left",
            "What is left of the day's tokens where least is; at 0 the target is probed no more.",
            "min((vigie_budget_tokens_remaining / vigie_budget_tokens) "
            f"and on (job, instance) vigie_exporter_targets{_JOB})",
            ((None, "red"), (0.1, "orange"), (0.25, "green")),
            "percentunit",
        ),
    )


def _quantile(share: float, histogram: str) -> str:
    rate = f"sum by (le) (rate({histogram}_bucket{_JOB}[$__rate_interval]))"
    return f"histogram_quantile({share}, {rate})"


def _schedule() -> tuple[Panel, ...]:
    dropped = f"increase(vigie_exporter_runs_dropped_total{_JOB}[$__rate_interval])"
    asked = f"increase(vigie_exporter_probe_requests_total{_JOB}[$__rate_interval])"
    late, lag = "vigie_exporter_run_lateness_seconds", "vigie_exporter_loop_lag_seconds"
    return (
        panels.chart(
            _about(
                "Lateness of runs",
                "How late planned runs start; over a tenth of a second, give it more CPU or shard.",
                "s",
            ),
            (panels.line(_quantile(0.5, late), "p50"), panels.line(_quantile(0.99, late), "p99")),
        ),
        panels.chart(
            _about(
                "Event loop",
                "How late the event loop runs what is due; it makes times inexact.",
                "s",
            ),
            (panels.line(_quantile(0.5, lag), "p50"), panels.line(_quantile(0.99, lag), "p99")),
        ),
        panels.chart(
            _about(
                "Runs left out",
                "Planned runs left out for the one before had not ended; lengthen their interval.",
            ),
            (panels.line(f"sum({dropped})", "runs"),),
            stacked_bars=True,
        ),
        panels.chart(
            _about(
                "Asked through /probe",
                "Requests by what came of them; busy ones were too many at once.",
            ),
            (panels.line(f"sum by (result) ({asked})", "{{result}}"),),
            stacked_bars=True,
        ),
    )


def _exactness() -> tuple[Panel, ...]:
    merged = f"increase(vigie_exporter_merged_reads_total{_JOB}[$__rate_interval])"
    stepped = f"increase(vigie_exporter_clock_steps_total{_JOB}[$__rate_interval])"
    return (
        panels.chart(
            _about(
                "Times that are less exact",
                "Reads that brought several events at once, and streams in which the clock jumped.",
            ),
            (
                panels.line(f"sum({merged})", "merged reads"),
                panels.line(f"sum({stepped})", "clock steps"),
            ),
            stacked_bars=True,
        ),
        panels.chart(
            _about("Series", "Series of targets in a scrape, and those that the cap left out."),
            (
                panels.line(f"sum(vigie_exporter_series{_JOB})", "shown"),
                panels.line(f"sum(vigie_exporter_series_left_out{_JOB})", "left out"),
            ),
        ),
    )


def _spent() -> Panel:
    def tokens(name: str) -> str:
        return f"sum(vigie_exporter_budget_tokens{name}{_JOB})"

    return panels.chart(
        _about(
            "Tokens of today",
            "What all runs together spent today (UTC), what they may, and what is left.",
        ),
        (
            panels.line(tokens("_spent"), "spent"),
            panels.line(tokens("_remaining"), "left"),
            panels.line(tokens(""), "allowed"),
        ),
    )


def _lists() -> tuple[Panel, ...]:
    failed = f"increase(vigie_exporter_discovery_failures_total{_JOB}[$__rate_interval])"
    listed = f"vigie_exporter_discovery_last_success_timestamp_seconds{_JOB}"
    age = f"time() - max by (discovery) ({listed})"
    found = f"sum by (discovery) (vigie_exporter_discovery_targets{_JOB})"
    refused = f"sum by (discovery) (vigie_exporter_discovery_refused{_JOB})"
    return (
        panels.chart(
            _about(
                "Discovered",
                "Targets that each place lists, and entries that are none; the log names those.",
            ),
            (panels.line(found, "{{discovery}}"), panels.line(refused, "{{discovery}} refused")),
        ),
        panels.chart(
            _about(
                "Age of the lists", "How old the list of each place is; its last one holds.", "s"
            ),
            (panels.line(age, "{{discovery}}"),),
        ),
        panels.chart(
            _about("Lists that failed", "Times that a place did not give its list."),
            (panels.line(f"sum by (discovery) ({failed})", "{{discovery}}"),),
            stacked_bars=True,
        ),
    )
