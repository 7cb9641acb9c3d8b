"""The responder's own metrics: what it counts as it goes, and what the store says when scraped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from responder import spent, stored
from responder.ceilings import WINDOWS, Ceilings
from responder.investigation.model_listing import Listed
from responder.store.snapshot import Snapshot
from responder.stored import gauge

# In the text format they would double the series and say nothing that a rule uses.
_without_created: Callable[[], None] = prometheus_client.disable_created_metrics

_STAGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_LAG_INTERVAL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Writes:
    """The transactions that wait for the disk."""

    waiting: int = 0
    oldest_age_seconds: float = 0.0


class _Asked(Collector):
    """Gives the families that are asked for anew at each scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Give what the program knows, and the store's families while it can be read."""
        snapshot, writes = self._metrics.snapshot, self._metrics.writes
        text = "Whether the store could be read for this scrape."
        yield gauge("store_up", text, 0 if snapshot is None else 1)
        yield gauge("writes_waiting", "Transactions that wait for the disk.", writes.waiting)
        yield gauge(
            "writes_oldest_age_seconds",
            "Age of the oldest transaction that waits for the disk, 0 when none does.",
            writes.oldest_age_seconds,
        )
        yield self._deaths()
        if snapshot is not None:
            yield from stored.families(snapshot, self._metrics.channels)
        if self._metrics.ceilings is not None:
            yield from spent.families(snapshot, self._metrics.ceilings)

    def _deaths(self) -> Metric:
        family = CounterMetricFamily(
            "vigie_responder_task_deaths", "Background tasks that died.", labels=["task"]
        )
        for task, deaths in sorted(self._metrics.deaths.items()):
            family.add_metric([task], deaths)
        return family


class Metrics:
    """Every family once, in a registry of its own."""

    def __init__(self, *, version: str) -> None:
        """Declare the families."""
        _without_created()
        self.registry = CollectorRegistry()
        self.snapshot: Snapshot | None = None
        self.channels: tuple[str, ...] = ()
        self.ceilings: Ceilings | None = None
        self.deaths: Mapping[str, int] = {}
        self.writes = Writes()
        for collector in (
            prometheus_client.ProcessCollector,
            prometheus_client.PlatformCollector,
            prometheus_client.GCCollector,
        ):
            collector(registry=self.registry)
        self.registry.register(_Asked(self))
        self._declare_program(version)
        self._declare_intake()
        self._declare_investigation()
        self._declare_delivery()
        self._declare_store()
        self._declare_comparison()
        self._declare_patrol()

    def _declare_program(self, version: str) -> None:
        info = self._gauge("build_info", "Version of the responder.", "version")
        info.labels(version).set(1)
        self.reload_successful = self._gauge(
            "config_last_reload_successful",
            "Whether the configuration was last read without fault.",
        )
        self.reload_successful.set(1)

    def _declare_intake(self) -> None:
        self.deliveries = self._counter(
            "deliveries_received", "Posts of Alertmanager that were stored."
        )
        self.alerts = self._counter("alerts_received", "Alerts in the posts that were stored.")
        self.refused = self._counter(
            "intake_refused", "Posts that were refused, by status code.", "code"
        )
        self.quarantined = self._counter(
            "quarantined", "Posts of which a part or the whole could not be read."
        )
        self.changes = self._counter("changes_received", "Changes that were stored.")

    def _declare_investigation(self) -> None:
        self.stage_seconds = Histogram(
            "vigie_responder_stage_duration_seconds",
            "Time that a stage of an investigation took.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self.reports = self._counter("reports", "Reports made.", "analyst", "decision")
        self.failures = self._counter(
            "investigation_failures", "Attempts at an investigation that failed."
        )
        self.takeovers = self._counter(
            "takeovers", "Investigations taken over from a replica that had died."
        )
        self.model_calls = self._counter(
            "model_calls", "Calls of a model, by outcome.", "model", "outcome"
        )
        self.tool_calls = self._counter(
            "tool_calls", "Calls of tools by a model, by outcome.", "tool", "outcome"
        )
        self.model_listed = self._gauge(
            "model_listed", "Whether the account's list of models has the model.", "model"
        )
        self.model_retirement = self._gauge(
            "model_retirement_timestamp_seconds",
            "When the server retires the model, where it says so.",
            "model",
        )
        self.model_tokens = self._counter(
            "model_tokens", "Tokens sent to a model and received.", "model", "direction"
        )
        self.ceilings_reached = self._counter(
            "model_ceilings_reached",
            "Calls of a model that were not made, by the ceiling in the way; no model: all's.",
            "window",
            "model",
        )
        for window in WINDOWS:
            self.ceilings_reached.labels(window, "")

    def _declare_delivery(self) -> None:
        self.outbox_attempts = self._counter(
            "outbox_attempts",
            "Attempts to deliver a message: delivered, retry, rejected.",
            "channel",
            "outcome",
        )
        self.outbox_failures = self._counter(
            "outbox_failures", "Messages that a channel did not take, by attempt.", "channel"
        )
        self.outbox_expired = self._counter(
            "outbox_expired", "Messages given up at their channel's horizon.", "channel"
        )

    def _declare_store(self) -> None:
        self.commit_seconds = self._histogram(
            "commit_duration_seconds", "Time that a commit took, disk included.", _COMMIT_BUCKETS
        )
        self.commit_batch = self._histogram(
            "commit_batch_size", "Transactions that shared a commit.", _BATCH_BUCKETS
        )
        self.retention_at = self._gauge(
            "retention_last_run_timestamp_seconds",
            "When what is over was last cleared away; the start of the program until then.",
        )
        self.retention_at.set_to_current_time()
        self.retention_incidents = self._counter(
            "retention_incidents", "Incidents that were cleared away."
        )
        self.loop_lag_seconds = self._histogram(
            "loop_lag_seconds", "How late the event loop ran what was due.", _LAG_BUCKETS
        )

    def _declare_comparison(self) -> None:
        self.comparison_gaps = self._counter(
            "comparison_gaps",
            "Alerts, or their ends, that had never reached us and were found by comparison.",
            "kind",
        )
        for kind in ("missed", "missed_and_over", "truncated", "closed"):
            self.comparison_gaps.labels(kind)
        self.comparison_at = self._gauge(
            "comparison_last_success_timestamp_seconds",
            "When what is stored was last compared with Alertmanager; 0 before the first time.",
        )
        self.comparison_failures = self._counter(
            "comparison_failures", "Comparisons that failed, or that a server gave no answer for."
        )
        self.comparison_doubts = self._counter(
            "comparison_doubts", "Alerts that could have been a gap but not surely: not stored."
        )

    def _declare_patrol(self) -> None:
        self.patrol_at = self._gauge(
            "patrol_last_round_timestamp_seconds",
            "When the last round was made that saw anything; 0 before the first.",
        )
        self.patrol_unseen = self._gauge(
            "patrol_unseen_looks", "Looks of the last round that could see nothing."
        )
        self.patrol_concerns = self._gauge(
            "patrol_concerns", "What the rounds found and holds.", "look", "grade"
        )
        self.patrol_posts = self._counter(
            "patrol_posts", "Findings told to an Alertmanager: taken, refused.", "outcome"
        )
        for outcome in ("taken", "refused"):
            self.patrol_posts.labels(outcome)
        self.patrol_rounds = self._counter(
            "patrol_rounds", "Rounds: made, blind (no look saw anything), failed.", "outcome"
        )
        for outcome in ("made", "blind", "failed"):
            self.patrol_rounds.labels(outcome)

    def patrolled(self, at: float, unseen: int, *, is_blind: bool) -> None:
        """Note when a round was made, unless it was blind, and how many looks saw nothing."""
        self.patrol_rounds.labels("blind" if is_blind else "made").inc()
        self.patrol_unseen.set(unseen)
        if not is_blind:
            self.patrol_at.set(at)

    def patrol_failed(self) -> None:
        """Count a round that was not made to its end."""
        self.patrol_rounds.labels("failed").inc()

    def patrol_holds(self, held: Mapping[tuple[str, str], int]) -> None:
        """Note how many concerns hold, by look and grade."""
        for (name, grade), count in held.items():
            self.patrol_concerns.labels(name, grade).set(count)

    def patrol_told(self, outcome: str) -> None:
        """Count a post of findings to an Alertmanager."""
        self.patrol_posts.labels(outcome).inc()

    def compared(self, at: float) -> None:
        """Note when a comparison succeeded."""
        self.comparison_at.set(at)

    def comparison_failed(self) -> None:
        """Count a comparison that failed."""
        self.comparison_failures.inc()

    def gaps_found(self, kind: str, count: int) -> None:
        """Count gaps that a comparison closed."""
        self.comparison_gaps.labels(kind).inc(count)

    def doubted(self, count: int) -> None:
        """Count what a comparison left alone."""
        self.comparison_doubts.inc(count)

    def _histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        full_name = f"vigie_responder_{name}"
        return Histogram(full_name, text, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"vigie_responder_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"vigie_responder_{name}", text, labels, registry=self.registry)

    def model_called(self, model: str, outcome: str) -> None:
        """Count a call of a model."""
        self.model_calls.labels(model, outcome).inc()

    def ceiling_reached(self, window: str, model: str) -> None:
        """Count a call that was not made: the ceiling's window and whose it is."""
        self.ceilings_reached.labels(window, model).inc()

    def tool_called(self, tool: str, outcome: str) -> None:
        """Count a call of a tool by a model."""
        self.tool_calls.labels(tool, outcome).inc()

    def model_told(self, model: str, told: Listed) -> None:
        """Note what a server says of a model."""
        if told.is_listed is not None:
            self.model_listed.labels(model).set(told.is_listed)
        if told.retires_at is not None:
            self.model_retirement.labels(model).set(told.retires_at)

    def committed(self, seconds: float, jobs: int) -> None:
        """Count a commit: how long it took and how many transactions shared it."""
        self.commit_seconds.observe(seconds)
        self.commit_batch.observe(jobs)

    def cleared_away(self, incidents: int) -> None:
        """Count a round of retention: when it ended, and how many incidents went."""
        self.retention_at.set_to_current_time()
        self.retention_incidents.inc(incidents)

    async def watch_loop(self) -> None:
        """Measure how late the event loop runs, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            due_at = clock() + _LAG_INTERVAL_SECONDS
            await asyncio.sleep(_LAG_INTERVAL_SECONDS)
            self.loop_lag_seconds.observe(max(0.0, clock() - due_at))

    def expose(self, accept: str) -> tuple[bytes, str]:
        """Give the exposition and its content type, in the form that *accept* asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
