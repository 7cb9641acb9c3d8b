"""The first dashboard: all targets, worst first, and the reports on what happened to them."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, prometheus
from grafana_foundation_sdk.models import dashboard as model

from grafana import panels
from grafana.boards import board, choice, threshold
from grafana.panels import DATASOURCE, About, Column, Mappings, Panel

# The states as numbers: target:vigie_target_badness:max, rules/recording/states.yml.
_STATES = (
    ("ok", "green"),
    ("unknown", "text"),
    ("degraded", "yellow"),
    ("wrong", "purple"),
    ("saturated", "orange"),
    ("unresponsive", "semi-dark-red"),
    ("hung", "red"),
    ("down", "dark-red"),
)
_ONE_BAD = ((None, "green"), (1.0, "red"))
_PLAIN = ((None, "blue"),)


def overview() -> dashboard.Dashboard:
    """All targets, worst first, and the reports on what happened to them."""
    made = _board()
    for number, panel in enumerate((*_numbers(), *_targets(), *_causes(), *_reports()), start=1):
        made = made.with_panel(panel.id(number))
    return made


def _board() -> dashboard.Dashboard:
    return (
        board(
            "vigie-overview",
            "Vigie: overview",
            "All watched ML endpoints, worst first, and the reports on their incidents.",
        )
        .with_variable(choice("job", "Exporter job", "label_values(vigie_target_state, job)"))
        .with_variable(
            choice("target", "Target", 'label_values(vigie_target_state{job=~"$job"}, target)')
        )
        .with_variable(
            dashboard.TextBoxVariable("responder")
            .label("Responder")
            .description("Where the responder's pages are.")
            .default_value("http://localhost:10918")
        )
        .annotation(_reports_made())
    )


def _reports_made() -> dashboard.AnnotationQuery:
    """Mark each report when it is made: the minute after its series appears."""
    new = "vigie_responder_report_info unless vigie_responder_report_info offset 1m"
    return (
        dashboard.AnnotationQuery()
        .name("Reports")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("blue")
        .target(prometheus.Dataquery().expr(new).interval("15s").ref_id("Reports"))
        .expr(new)
        .step("15s")
        .title_format("{{alertname}} {{target}}")
        .text_format("{{cause}} in {{component}}; decision: {{decision}}")
        .tag_keys("decision")
    )


def _numbers() -> tuple[Panel, ...]:
    failed = (
        'sum(increase(vigie_probe_failures_total{job=~"$job", target=~"$target"}[1h]))'
        ' / sum(increase(vigie_probes_total{job=~"$job", target=~"$target"}[1h]))'
    )
    firing = 'ALERTS{alertname=~"Vigie.+", alertname!="VigieWatchdog", alertstate="firing"}'
    ill = 'target:vigie_target_badness:max{job=~"$job", target=~"$target"}'
    budget = threshold("vigie:probe_failure_budget:ratio")
    return (
        panels.number(
            About(
                title="Targets",
                description="How many targets are watched.",
                unit="short",
                width=4,
                height=4,
            ),
            panels.moment(f"count({ill})"),
            panels.steps(*_PLAIN),
        ),
        panels.number(
            About(
                title="Not well",
                description="Targets whose last run did not leave them ok, unknown ones included.",
                unit="short",
                width=4,
                height=4,
            ),
            panels.moment(f"count({ill} > 0) or vector(0)"),
            panels.steps(*_ONE_BAD),
        ),
        panels.number(
            About(
                title="Alerts",
                description="Vigie's alerts that fire, the watchdog left out.",
                unit="short",
                width=4,
                height=4,
            ),
            panels.moment(f"count({firing}) or vector(0)"),
            panels.steps(*_ONE_BAD),
        ),
        panels.number(
            About(
                title="Failed runs, one hour",
                description="Share of the runs attempted in the last hour that failed; red over the"
                " objective's budget.",
                unit="percentunit",
                width=4,
                height=4,
            ),
            panels.moment(failed),
            panels.steps((None, "green"), (budget, "red")),
        ),
        panels.number(
            About(
                title="Incidents open",
                description="Incidents that the responder holds open.",
                unit="short",
                width=4,
                height=4,
            ),
            panels.moment("sum(vigie_responder_incidents_open)"),
            panels.steps((None, "green"), (1.0, "orange")),
        ),
        panels.number(
            About(
                title="Oldest undelivered report",
                description="How long the oldest report has waited for its channel.",
                unit="s",
                width=4,
                height=4,
            ),
            panels.moment("max(vigie_responder_outbox_oldest_age_seconds)"),
            panels.steps(
                (None, "green"), (threshold("vigie:responder_undelivered:seconds"), "red")
            ),
        ),
    )


def _state_mappings() -> Mappings:
    options = {
        str(number): model.ValueMappingResult(text=name, color=color, index=number)
        for number, (name, color) in enumerate(_STATES)
    }
    return [model.ValueMap(options=options)]


def _expiry_colours() -> list[model.Threshold]:
    return panels.steps(
        (None, "red"),
        (threshold("vigie:certificate_expiry_critical:seconds"), "yellow"),
        (threshold("vigie:certificate_expiry_warning:seconds"), "green"),
    )


def _targets() -> tuple[Panel, ...]:
    chosen = '{job=~"$job", target=~"$target"}'
    badness = f"max by (target) (target:vigie_target_badness:max{chosen})"

    def ninetieth(histogram: str) -> str:
        rate = f"rate({histogram}_bucket{chosen}[15m])"
        return f"histogram_quantile(0.9, sum by (target, le) ({rate}))"

    queries = (
        panels.rows(badness, "A"),
        panels.rows(f"max by (target) (target:vigie_probe_failures:ratio_rate1h{chosen})", "B"),
        panels.rows(ninetieth("vigie_probe_duration_seconds"), "C"),
        panels.rows(ninetieth("vigie_llm_time_to_first_token_seconds"), "D"),
        panels.rows(
            f"time() - max by (target) (vigie_probe_last_run_timestamp_seconds{chosen})", "E"
        ),
        panels.rows(
            f"min by (target) (vigie_tls_certificate_expiry_timestamp_seconds{chosen}) - time()",
            "F",
        ),
    )
    budget = threshold("vigie:probe_failure_budget:ratio")
    columns = (
        Column(
            field="target",
            title="Target",
            link="/d/vigie-overview?var-target=${__value.raw:percentencode}&${__url_time_range}",
        ),
        Column(field="Value #A", title="State", mappings=_state_mappings()),
        Column(
            field="Value #B",
            title="Failed runs, one hour",
            unit="percentunit",
            thresholds=panels.steps((None, "transparent"), (budget, "red")),
        ),
        Column(field="Value #C", title="Duration, p90", unit="s"),
        Column(field="Value #D", title="First token, p90", unit="s"),
        Column(field="Value #E", title="Since last run", unit="s"),
        Column(
            field="Value #F", title="Certificate ends in", unit="s", thresholds=_expiry_colours()
        ),
    )
    return (
        panels.sheet(
            About(
                title="Targets, worst first",
                description="State of each target after its last run, and what its users feel.",
                unit="short",
                width=24,
                height=8,
            ),
            queries,
            columns,
            sorted_by=("State", True),
        ),
        panels.states(
            About(
                title="States",
                description="The state of each target over time.",
                unit="short",
                width=24,
                height=8,
            ),
            panels.line(badness, "{{target}}"),
            _state_mappings(),
        ),
    )


def _causes() -> tuple[Panel, ...]:
    chosen = '{job=~"$job", target=~"$target"}'

    def first_token(quantile: float) -> str:
        rate = f"rate(vigie_llm_time_to_first_token_seconds_bucket{chosen}[$__rate_interval])"
        return f"histogram_quantile({quantile}, sum by (target, le) ({rate}))"

    expiry = f"min by (target) (vigie_tls_certificate_expiry_timestamp_seconds{chosen}) - time()"
    reasons = f"increase(vigie_probe_failure_reasons_total{chosen}[$__rate_interval])"
    per_token = f"rate(vigie_llm_time_per_output_token_seconds_bucket{chosen}[$__rate_interval])"
    return (
        panels.chart(
            About(
                title="Time to first token",
                description="From the request written to the first chunk with content, median and"
                " 90th percentile.",
                unit="s",
                width=12,
                height=8,
            ),
            (
                panels.line(first_token(0.5), "{{target}} p50"),
                panels.line(first_token(0.9), "{{target}} p90"),
            ),
        ),
        panels.chart(
            About(
                title="Time per output token",
                description="(End - first token) / (output tokens - 1), 90th percentile.",
                unit="s",
                width=12,
                height=8,
            ),
            (
                panels.line(
                    f"histogram_quantile(0.9, sum by (target, le) ({per_token}))", "{{target}}"
                ),
            ),
        ),
        panels.chart(
            About(
                title="Failures by reason",
                description="Failed runs by target and reason.",
                unit="short",
                width=12,
                height=8,
            ),
            (panels.line(f"sum by (target, reason) ({reasons})", "{{target}} {{reason}}"),),
            stacked_bars=True,
        ),
        panels.bars(
            About(
                title="Certificates",
                description="Time until the certificate that each target serves runs out.",
                unit="s",
                width=12,
                height=8,
            ),
            panels.moment(expiry, "{{target}}"),
            _expiry_colours(),
        ),
    )


def _reports() -> tuple[Panel, ...]:
    # The page is the incident's, whose id the report's begins with.
    reports = (
        "label_replace(max by (report_id, alertname, target, cause, component, decision)"
        ' (vigie_responder_report_info), "incident", "$1", "report_id", "(.+)-r[0-9]+")'
    )
    titles = ("incident", "alertname", "target", "cause", "component", "decision")
    links = {"incident": "${responder}/incidents/${__value.raw:percentencode}"}
    return (
        panels.sheet(
            About(
                title="Reports",
                description="The latest reports; the incident leads to the responder's page.",
                unit="short",
                width=24,
                height=8,
            ),
            (panels.rows(reports, "A"),),
            [
                Column(field=name, title=name.capitalize(), link=links.get(name, ""))
                for name in titles
            ],
        ),
    )
