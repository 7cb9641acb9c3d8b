"""The exporter's own metrics and its process's, through prometheus-client."""

from __future__ import annotations

import platform
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import accumulate

import prometheus_client
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.registry import Collector

from exporter.target import Exchange
from toolkit.arguments import version

_LATENESS_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


class Instruments:
    """What the exporter counts of itself."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=registry)
        prometheus_client.PlatformCollector(registry=registry)
        prometheus_client.GCCollector(registry=registry)
        prometheus_client.Gauge(
            "vigie_exporter_build_info",
            "Always 1; what runs.",
            ("version", "python_version"),
            registry=registry,
        ).labels(version(), platform.python_version()).set(1)
        self.reload_successful = prometheus_client.Gauge(
            "vigie_exporter_config_last_reload_successful",
            "Whether the last load of the configuration succeeded (1) or not (0).",
            registry=registry,
        )
        self.reload_success_timestamp = prometheus_client.Gauge(
            "vigie_exporter_config_last_reload_success_timestamp_seconds",
            "When the configuration was last loaded.",
            registry=registry,
        )
        self.lateness = _Lateness()
        registry.register(self.lateness)
        self.loop_lag = prometheus_client.Histogram(
            "vigie_exporter_loop_lag_seconds",
            "How late the event loop's timers are, which times over TLS may be wrong by.",
            buckets=_LATENESS_BUCKETS,
            registry=registry,
        )
        self.dropped = prometheus_client.Counter(
            "vigie_exporter_runs_dropped_total",
            "Planned runs left out because the one before had not ended.",
            registry=registry,
        )
        self.merged_reads = prometheus_client.Counter(
            "vigie_exporter_merged_reads_total",
            "Reads of a stream that brought several events, which share one time.",
            registry=registry,
        )
        self.clock_steps = prometheus_client.Counter(
            "vigie_exporter_clock_steps_total",
            "Streams during which the wall clock jumped, so that their chunks have the times at"
            " which they were read.",
            registry=registry,
        )
        self.requests = prometheus_client.Counter(
            "vigie_exporter_probe_requests_total",
            "Requests to /probe, by what came of them (ran, refused, busy).",
            ("result",),
            registry=registry,
        )
        for result in ("ran", "refused", "busy"):
            self.requests.labels(result)
        self.series = prometheus_client.Gauge(
            "vigie_exporter_series",
            "Series of targets that this scrape has.",
            registry=registry,
        )
        self.series_left_out = prometheus_client.Gauge(
            "vigie_exporter_series_left_out",
            "Series of targets that `max_series` has left out of this scrape.",
            registry=registry,
        )
        self.storage_failures = prometheus_client.Counter(
            "vigie_exporter_storage_failures_total",
            "Times that what was spent could not be read or kept (read, write).",
            ("operation",),
            registry=registry,
        )
        for operation in ("read", "write"):
            self.storage_failures.labels(operation)
        self.budget: Callable[[], tuple[int | None, int]] = lambda: (None, 0)
        registry.register(_BudgetCollector(self))
        labels = ("discovery",)
        self.discovery_successful = prometheus_client.Gauge(
            "vigie_exporter_discovery_last_look_successful",
            "Whether a place gave its list when it was last asked (1) or not (0).",
            labels,
            registry=registry,
        )
        self.discovery_targets = prometheus_client.Gauge(
            "vigie_exporter_discovery_targets",
            "Targets that a place last listed.",
            labels,
            registry=registry,
        )
        self.discovery_refused = prometheus_client.Gauge(
            "vigie_exporter_discovery_refused",
            "Entries of a place's last list that are no targets.",
            labels,
            registry=registry,
        )
        self.discovery_success_timestamp = prometheus_client.Gauge(
            "vigie_exporter_discovery_last_success_timestamp_seconds",
            "When a place last gave its list.",
            labels,
            registry=registry,
        )
        self.discovery_failures = prometheus_client.Counter(
            "vigie_exporter_discovery_failures_total",
            "Times that a place did not give its list.",
            labels,
            registry=registry,
        )

    def count_series(self, *, shown: int, left_out: int) -> None:
        """Note how many series of targets a scrape has, and how many were too many."""
        self.series.set(shown)
        self.series_left_out.set(left_out)

    def heard(self, exchange: Exchange | None) -> None:
        """Count what makes the times of a stream's chunks less exact."""
        if exchange is None:
            return
        if exchange.merged_reads:
            self.merged_reads.inc(exchange.merged_reads)
        if exchange.clock_stepped:
            self.clock_steps.inc()

    def discovered(self, name: str, *, targets: int, refused: int) -> None:
        """Note what a place listed."""
        self.discovery_targets.labels(name).set(targets)
        self.discovery_refused.labels(name).set(refused)
        self.discovery_failures.labels(name)

    def forget_discovery(self, name: str) -> None:
        """Show nothing of a place that is not in the configuration any more."""
        for family in (
            self.discovery_targets,
            self.discovery_refused,
            self.discovery_successful,
            self.discovery_success_timestamp,
            self.discovery_failures,
        ):
            with suppress(KeyError):  # it never gave a list
                family.remove(name)

    def watch_fleet(
        self, targets: Callable[[], int], deaths: Callable[[], Mapping[str, int]]
    ) -> None:
        """Read the number of targets and the agents' deaths whenever metrics are asked for."""
        self.registry.register(_FleetCollector(targets, deaths))

    def render(self, *, openmetrics: bool) -> bytes:
        """Return all of it; OpenMetrics with its `# EOF`."""
        if openmetrics:
            text = openmetrics_exposition.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            return bytes(text)
        return prometheus_client.generate_latest(self.registry)


class _BudgetCollector(Collector):
    """The budget of all runs together: its limit, where there is one, and what is spent."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        limit, spent = self._instruments.budget()
        for name, text, value in (
            ("", "Tokens that all runs together may cost a day.", limit),
            ("_spent", "Tokens that all runs together cost today (UTC).", spent),
            (
                "_remaining",
                "Tokens left of today's (UTC) for all runs together.",
                None if limit is None else max(0, limit - spent),
            ),
        ):
            gauge = GaugeMetricFamily(f"vigie_exporter_budget_tokens{name}", text)
            if value is not None:
                gauge.add_metric([], value)
            yield gauge


class _Lateness(Collector):
    """A histogram that each run adds to; the client's costs five times as much."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_LATENESS_BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one run's."""
        self._counts[bisect_left(_LATENESS_BUCKETS, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[Metric]:
        """Yield the family."""
        bounds = (*map(str, _LATENESS_BUCKETS), "+Inf")
        yield HistogramMetricFamily(
            "vigie_exporter_run_lateness_seconds",
            "How long after its planned time a run started.",
            buckets=list(zip(bounds, accumulate(self._counts), strict=True)),
            sum_value=self._sum,
        )


class _FleetCollector(Collector):
    """What is read from the fleet rather than counted here."""

    def __init__(self, targets: Callable[[], int], deaths: Callable[[], Mapping[str, int]]) -> None:
        self._targets = targets
        self._deaths = deaths

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        gauge = GaugeMetricFamily("vigie_exporter_targets", "Targets configured.")
        gauge.add_metric([], self._targets())
        yield gauge
        counter = CounterMetricFamily(
            "vigie_exporter_agent_deaths",
            "Times that an agent died and was started again; a defect of this program.",
        )
        counter.add_metric([], sum(self._deaths().values()))
        yield counter
