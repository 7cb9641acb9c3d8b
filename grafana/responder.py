"""The responder's own health: what comes in, what waits, what goes out, and what it stands on."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, prometheus

from grafana import panels
from grafana.boards import board, choice, threshold
from grafana.panels import About, Panel

_JOB = '{job=~"$responders"}'
_ZERO_IS_WELL = ((None, "green"), (1.0, "red"))


def responder() -> dashboard.Dashboard:
    """Show what comes in, what waits, what goes out, and what the responder stands on."""
    made = board(
        "vigie-responder",
        "Vigie: responder",
        "The responder's own health: intake, investigations, deliveries, store.",
    ).with_variable(
        choice("responders", "Responder job", "label_values(vigie_responder_build_info, job)")
    )
    for number, panel in enumerate(_panels(), 1):
        made = made.with_panel(panel.id(number))
    return made


def _panels() -> tuple[Panel, ...]:
    return (*_numbers(), *_intake(), *_compared(), *_work(), *_out(), *_spend(), *_ground())


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
    behind = threshold("vigie:responder_behind:seconds")
    silence = threshold("vigie:watchdog_silence:seconds")
    return (
        _small(
            "Unaccounted",
            "What the store holds and nothing will ever finish; must be 0.",
            f"sum(max by (job, kind) (vigie_responder_unaccounted{_JOB}))",
            _ZERO_IS_WELL,
        ),
        _small(
            "Replicas alive",
            "Responders whose heartbeat is in time, as they see each other.",
            f"max(vigie_responder_replicas_alive{_JOB})",
            ((None, "red"), (1.0, "green")),
        ),
        _small(
            "Since the watchdog",
            "How long ago the watchdog alert last arrived by the webhook.",
            f"time() - max(vigie_responder_watchdog_last_seen_timestamp_seconds{_JOB})",
            ((None, "green"), (silence, "red")),
            "s",
        ),
        _small(
            "Oldest investigation",
            "Age of the oldest investigation that waits or runs.",
            f"max(vigie_responder_work_oldest_age_seconds{_JOB})",
            ((None, "green"), (behind, "red")),
            "s",
        ),
        _small(
            "Quarantined, not read",
            "Posts that could not be read, and not since.",
            f"max(vigie_responder_quarantine_unread{_JOB})",
            ((None, "green"), (1.0, "orange")),
        ),
        _small(
            "Oldest quarantined",
            "Age of the oldest post that could not be read, and not since.",
            f"max(vigie_responder_quarantine_oldest_age_seconds{_JOB})",
            ((None, "green"), (86400.0, "orange")),
            "s",
        ),
    )


def _intake() -> tuple[Panel, ...]:
    def rate(family: str) -> str:
        return f"sum(rate(vigie_responder_{family}_total{_JOB}[$__rate_interval]))"

    refused = f"rate(vigie_responder_intake_refused_total{_JOB}[$__rate_interval])"
    waiting = f"sum(vigie_responder_writes_waiting{_JOB})"
    oldest = f"max(vigie_responder_writes_oldest_age_seconds{_JOB})"
    return (
        panels.chart(
            _about("Intake", "Alerts, posts and changes that were stored, a second.", "cps"),
            (
                panels.line(rate("alerts_received"), "alerts"),
                panels.line(rate("deliveries_received"), "posts"),
                panels.line(rate("changes_received"), "changes"),
                panels.line(rate("quarantined"), "quarantined"),
                panels.line(f"sum by (code) ({refused})", "refused {{code}}"),
            ),
        ),
        panels.chart(
            _about("Waiting for the disk", "Transactions that wait for their commit."),
            (panels.line(waiting, "waiting"),),
        ),
        panels.chart(
            _about("Longest wait for the disk", "Age of the oldest one that waits.", "s"),
            (panels.line(oldest, "oldest"),),
        ),
    )


def _compared() -> tuple[Panel, ...]:
    gaps = f"increase(vigie_responder_comparison_gaps_total{_JOB}[$__rate_interval])"
    failed = f"increase(vigie_responder_comparison_failures_total{_JOB}[$__rate_interval])"
    held = f"sum by (look, grade) (vigie_responder_patrol_concerns{_JOB})"
    unseen = f"sum(vigie_responder_patrol_unseen_looks{_JOB})"
    posts = f"increase(vigie_responder_patrol_posts_total{_JOB}[$__rate_interval])"
    rounds = f"increase(vigie_responder_patrol_rounds_total{_JOB}[$__rate_interval])"
    doubts = f"increase(vigie_responder_comparison_doubts_total{_JOB}[$__rate_interval])"
    return (
        panels.chart(
            _about(
                "Comparison", "What no webhook brought and was found; what failed or is in doubt."
            ),
            (
                panels.line(f"sum by (kind) ({gaps})", "{{kind}}"),
                panels.line(f"sum({failed})", "failed"),
                panels.line(f"sum({doubts})", "in doubt"),
            ),
            stacked_bars=True,
        ),
        panels.chart(
            _about("Held by rounds", "What the rounds found and holds; the page /patrol lists it."),
            (
                panels.line(held, "{{look}} {{grade}}"),
                panels.line(unseen, "looks that saw nothing"),
            ),
        ),
        panels.chart(
            _about("Rounds", "Rounds made, those that saw nothing at all, and those that failed."),
            (panels.line(f"sum by (outcome) ({rounds})", "{{outcome}}"),),
            stacked_bars=True,
        ),
        panels.chart(
            _about(
                "Findings told", "Findings posted to Alertmanager; the log says what was refused."
            ),
            (panels.line(f"sum by (outcome) ({posts})", "{{outcome}}"),),
            stacked_bars=True,
        ),
    )


def _work() -> tuple[Panel, ...]:
    by = "(job, state, severity)"
    pending = f"sum by (state, severity) (max by {by} (vigie_responder_work_pending{_JOB}))"
    oldest = f"max by (state, severity) (vigie_responder_work_oldest_age_seconds{_JOB})"
    stages = f"rate(vigie_responder_stage_duration_seconds_bucket{_JOB}[$__rate_interval])"
    reports = f"increase(vigie_responder_reports_total{_JOB}[$__rate_interval])"
    failed = f"increase(vigie_responder_investigation_failures_total{_JOB}[$__rate_interval])"
    taken = f"increase(vigie_responder_takeovers_total{_JOB}[$__rate_interval])"
    return (
        panels.chart(
            _about("Investigations", "Those that wait and those that run, by severity."),
            (panels.line(pending, "{{state}} {{severity}}"),),
        ),
        panels.chart(
            _about("Oldest investigation, by severity", "How long the oldest one waits.", "s"),
            (panels.line(oldest, "{{state}} {{severity}}"),),
        ),
        panels.chart(
            _about("Stages, p90", "Time that each stage of an investigation takes.", "s"),
            (panels.line(f"histogram_quantile(0.9, sum by (stage, le) ({stages}))", "{{stage}}"),),
        ),
        panels.chart(
            _about("Reports", "Reports made, failed attempts, and work taken over."),
            (
                panels.line(f"sum by (analyst, decision) ({reports})", "{{analyst}} {{decision}}"),
                panels.line(f"sum({failed})", "failed attempts"),
                panels.line(f"sum({taken})", "taken over"),
            ),
            stacked_bars=True,
        ),
    )


def _out() -> tuple[Panel, ...]:
    by = "(job, channel)"
    pending = f"sum by (channel) (max by {by} (vigie_responder_outbox_pending{_JOB}))"
    tried = f"increase(vigie_responder_outbox_attempts_total{_JOB}[$__rate_interval])"
    expired = f"increase(vigie_responder_outbox_expired_total{_JOB}[$__rate_interval])"
    calls = f"increase(vigie_responder_model_calls_total{_JOB}[$__rate_interval])"
    listed = f"min by (model) (vigie_responder_model_listed{_JOB})"
    retired = f"min by (model) (vigie_responder_model_retirement_timestamp_seconds{_JOB})"
    looks = f"increase(vigie_responder_tool_calls_total{_JOB}[$__rate_interval])"
    tokens = f"increase(vigie_responder_model_tokens_total{_JOB}[$__rate_interval])"
    return (
        panels.chart(
            _about("Outbox", "Messages that wait for their channel."),
            (panels.line(pending, "{{channel}}"),),
        ),
        panels.chart(
            _about("Deliveries", "Attempts by channel and outcome, and messages given up."),
            (
                panels.line(f"sum by (channel, outcome) ({tried})", "{{channel}} {{outcome}}"),
                panels.line(f"sum by (channel) ({expired})", "{{channel}} expired"),
            ),
            stacked_bars=True,
        ),
        panels.chart(
            _about("Model calls", "Calls of the model by outcome."),
            (panels.line(f"sum by (model, outcome) ({calls})", "{{model}} {{outcome}}"),),
            stacked_bars=True,
        ),
        panels.chart(
            _about("Tool calls", "What the model looked at, by outcome; refused: not on offer."),
            (panels.line(f"sum by (tool, outcome) ({looks})", "{{tool}} {{outcome}}"),),
            stacked_bars=True,
        ),
        panels.chart(
            _about("Model on its server", "Whether the account lists it, and until when.", "s"),
            (
                panels.line(f"{retired} - time()", "{{model}} retires in"),
                panels.line(listed, "{{model}} listed"),
            ),
        ),
        panels.chart(
            _about("Tokens", "Tokens sent to the model and received."),
            (panels.line(f"sum by (model, direction) ({tokens})", "{{model}} {{direction}}"),),
            stacked_bars=True,
        ),
        _judged(),
    )


def _judged() -> Panel:
    # Replicas read one store: each shows the whole of it.
    each = f"max by (analyst, confidence, verdict) (vigie_responder_reports_judged{_JOB})"
    confirmed = each.replace("}", ', verdict="confirm"}')
    share = f"sum by (analyst) ({confirmed}) / sum by (analyst) ({each})"
    return panels.chart(
        _about(
            "Reports that operators judged",
            "The share that was confirmed on the incidents' pages. When it falls, read what was"
            " corrected: a source may be missing, or a name that no rule of ours knows.",
            "percentunit",
        ),
        (panels.line(share, "{{analyst}} right"),),
    )


def _spend() -> tuple[Panel, ...]:
    def of(family: str) -> str:
        # Replicas share the account: each shows the whole of it.
        return f"max by (window, model) (vigie_responder_{family}{_JOB})"

    lines = (
        panels.line(of("model_spent_tokens"), "{{window}} {{model}}"),
        panels.line(of("model_ceiling_tokens"), "ceiling {{window}} {{model}}"),
    )
    prices = (
        panels.line(of("model_spent_price"), "{{window}} {{model}}"),
        panels.line(of("model_ceiling_price"), "ceiling {{window}} {{model}}"),
    )
    refused = f"increase(vigie_responder_model_ceilings_reached_total{_JOB}[$__rate_interval])"
    return (
        panels.chart(
            _about("Tokens and their ceilings", "Spent since the day or month began (UTC)."), lines
        ),
        panels.chart(
            _about(
                "Price and its ceilings", "As far as prices are known; the page /spend has all."
            ),
            prices,
        ),
        panels.chart(
            _about("Calls not made", "Calls that a ceiling was in the way of; code alone wrote."),
            (panels.line(f"sum by (window) ({refused})", "{{window}}"),),
            stacked_bars=True,
        ),
    )


def _ground() -> tuple[Panel, ...]:
    def quantiles(histogram: str) -> tuple[str, str]:
        rate = f"sum by (le) (rate({histogram}_bucket{_JOB}[$__rate_interval]))"
        return f"histogram_quantile(0.5, {rate})", f"histogram_quantile(0.99, {rate})"

    commits = quantiles("vigie_responder_commit_duration_seconds")
    batches = quantiles("vigie_responder_commit_batch_size")
    lags = quantiles("vigie_responder_loop_lag_seconds")
    deaths = f"increase(vigie_responder_task_deaths_total{_JOB}[$__rate_interval])"
    removed = f"increase(vigie_responder_retention_incidents_total{_JOB}[$__rate_interval])"

    def both(asked: tuple[str, str]) -> tuple[prometheus.Dataquery, ...]:
        return panels.line(asked[0], "p50"), panels.line(asked[1], "p99")

    return (
        panels.chart(_about("Commits", "Time that a commit takes.", "s"), both(commits)),
        panels.chart(
            _about("Transactions in a commit", "How many share one commit."), both(batches)
        ),
        panels.chart(
            _about("Event loop", "How late the event loop runs what is due.", "s"), both(lags)
        ),
        panels.chart(
            _about("Tasks that died", "Background tasks that died and were started again."),
            (panels.line(f"sum by (task) ({deaths})", "{{task}}"),),
            stacked_bars=True,
        ),
        panels.chart(
            _about("Cleared away", "Incidents that were over for longer than the retention."),
            (panels.line(f"sum({removed})", "incidents"),),
            stacked_bars=True,
        ),
    )
