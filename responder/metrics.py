"""The responder's own metrics: what it counts as it goes, and what the store says when scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from responder.store.snapshot import Snapshot, Titled

# In the text format they would double the series and say nothing that a rule uses.
_without_created: Callable[[], None] = prometheus_client.disable_created_metrics

_LONGEST_LABEL = 200
_STAGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class _Stored(Collector):
    """Gives the families that are read from a snapshot, new at each scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Give what the program knows, and the store's families while it can be read."""
        snapshot = self._metrics.snapshot
        text = "Whether the store could be read for this scrape."
        yield _gauge("store_up", text, 0 if snapshot is None else 1)
        yield self._deaths()
        if snapshot is not None:
            yield from self._counted(snapshot)

    def _counted(self, snapshot: Snapshot) -> Iterable[Metric]:
        yield _gauge("incidents_open", "Incidents that are not over.", snapshot.incidents_open)
        yield _gauge("work_pending", "Investigations that wait or run.", snapshot.work_pending)
        yield _gauge(
            "work_oldest_age_seconds",
            "Age of the oldest investigation that waits or runs, 0 when there is none.",
            snapshot.work_oldest_age_seconds,
        )
        yield from self._outbox(snapshot)
        yield _report_info(snapshot.reports)
        if snapshot.watchdog_last_seen_at is not None:
            yield _gauge(
                "watchdog_last_seen_timestamp_seconds",
                "When the watchdog alert last arrived.",
                snapshot.watchdog_last_seen_at,
            )

    def _outbox(self, snapshot: Snapshot) -> Iterable[Metric]:
        pending = _family("outbox_pending", "Messages that wait for a channel.", "channel")
        oldest = _family(
            "outbox_oldest_age_seconds",
            "Age of the oldest message that waits for a channel, 0 when there is none.",
            "channel",
        )
        for channel in sorted({*self._metrics.channels, *snapshot.outbox}):
            backlog = snapshot.outbox.get(channel)
            age_seconds = max(0.0, snapshot.at - backlog.oldest_created_at) if backlog else 0.0
            pending.add_metric([channel], backlog.pending if backlog else 0)
            oldest.add_metric([channel], age_seconds)
        yield pending
        yield oldest

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
        self.deaths: Mapping[str, int] = {}
        for collector in (
            prometheus_client.ProcessCollector,
            prometheus_client.PlatformCollector,
            prometheus_client.GCCollector,
        ):
            collector(registry=self.registry)
        self.registry.register(_Stored(self))
        self._declare_program(version)
        self._declare_intake()
        self._declare_investigation()

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
        self.outbox_failures = self._counter(
            "outbox_failures", "Messages that a channel did not take, by attempt.", "channel"
        )
        self.model_calls = self._counter(
            "model_calls", "Calls of a model, by outcome.", "model", "outcome"
        )
        self.model_tokens = self._counter(
            "model_tokens", "Tokens sent to a model and received.", "model", "direction"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"vigie_responder_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"vigie_responder_{name}", text, labels, registry=self.registry)

    def model_called(self, model: str, outcome: str) -> None:
        """Count a call of a model."""
        self.model_calls.labels(model, outcome).inc()

    def expose(self, accept: str) -> tuple[bytes, str]:
        """Give the exposition and its content type, in the form that *accept* asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"vigie_responder_{name}", text, value=value)


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"vigie_responder_{name}", text, labels=labels)


def _report_info(reports: Sequence[Titled]) -> Metric:
    labels = ("report_id", "alertname", "target", "cause", "component", "decision")
    family = _family("report_info", "A report made lately; the value is always 1.", *labels)
    for each in reports:
        first = each.report.causes[0] if each.report.causes else None
        values = (
            each.report.id,
            each.alertname,
            each.target,
            first.kind.value if first else "",
            first.component if first else "",
            each.report.decision.kind.value,
        )
        family.add_metric([value[:_LONGEST_LABEL] for value in values], 1)
    return family
