"""The engine's own metrics, with the names, labels and buckets that vLLM gives them.

Names and buckets: vLLM, vllm/v1/metrics/loggers.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from lab.engine import Emission, Engine, Generation

_LABELS = ("model_name", "engine")
_FIRST_TOKEN_BUCKETS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
_GAP_BUCKETS = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0),
)
_REQUEST_BUCKETS = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0),
    *(240.0, 480.0, 960.0, 1920.0, 7680.0),
)
_HISTOGRAMS = {
    "time_to_first_token": ("Time to first token in seconds.", _FIRST_TOKEN_BUCKETS),
    "inter_token_latency": ("Time between two tokens of a request in seconds.", _GAP_BUCKETS),
    "e2e_request_latency": ("Time from arrival to last token in seconds.", _REQUEST_BUCKETS),
    "request_queue_time": ("Time spent waiting for a place in seconds.", _REQUEST_BUCKETS),
}
_REASONS = ("stop", "length", "abort", "error")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Tokens(Collector):
    """Shows the engine's own totals as counters, so that they cannot differ from it."""

    engine: Engine
    labels: tuple[str, ...]

    def collect(self) -> Iterator[Metric]:
        """Yield the two token counters."""
        totals = self.engine.totals
        for name, text, value in (
            ("prompt_tokens", "Number of prefill tokens processed.", totals.prompt_tokens),
            (
                "generation_tokens",
                "Number of generation tokens processed.",
                totals.generated_tokens,
            ),
        ):
            family = CounterMetricFamily(f"vllm:{name}", text, labels=_LABELS)
            family.add_metric(self.labels, value)
            yield family


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineMetrics:
    """Histograms and counters that are fed by the engine's emissions."""

    histograms: Mapping[str, Histogram]
    successes: Mapping[str, Counter]

    @staticmethod
    def build(registry: CollectorRegistry, engine: Engine, model: str) -> EngineMetrics:
        """Register the engine's metrics; gauges and token counters read the engine itself."""
        labels = (model, "0")
        gauges = {
            "num_requests_running": ("Requests in the batch.", lambda: engine.running),
            "num_requests_waiting": ("Requests waiting for a place.", lambda: engine.waiting),
            "kv_cache_usage_perc": (
                "Key-value cache in use, 1 is full.",
                lambda: engine.cache_ratio,
            ),
        }
        for name, (text, read) in gauges.items():
            gauge = Gauge(f"vllm:{name}", text, _LABELS, registry=registry)
            gauge.labels(*labels).set_function(read)
        registry.register(_Tokens(engine=engine, labels=labels))
        successes = Counter(
            "vllm:request_success",
            "Requests that have ended, by reason.",
            (*_LABELS, "finished_reason"),
            registry=registry,
        )
        return EngineMetrics(
            histograms={
                name: Histogram(
                    f"vllm:{name}_seconds", text, _LABELS, buckets=buckets, registry=registry
                ).labels(*labels)
                for name, (text, buckets) in _HISTOGRAMS.items()
            },
            successes={reason: successes.labels(*labels, reason) for reason in _REASONS},
        )

    def observe(self, emission: Emission) -> None:
        """Record one token: its gap to the one before, or the time to the first."""
        sequence = emission.sequence
        if emission.first:
            waited = sequence.last_token_seconds - sequence.arrived_seconds
            self.histograms["time_to_first_token"].observe(waited)
            admitted = sequence.admitted_seconds or sequence.arrived_seconds
            self.histograms["request_queue_time"].observe(admitted - sequence.arrived_seconds)
        elif emission.token is not None:
            self.histograms["inter_token_latency"].observe(emission.gap_seconds)

    def ended(self, generation: Generation, now: float) -> None:
        """Record the end of a request, however it ended."""
        if generation.finish is not None:
            self.successes[generation.finish].inc()
        if generation.finish in ("stop", "length"):
            self.histograms["e2e_request_latency"].observe(now - generation.arrived_seconds)
