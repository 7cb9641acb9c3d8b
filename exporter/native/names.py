"""What model servers call their own metrics: one table, a row a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Server = Literal[
    "vllm",
    "sglang",
    "tgi",
    "llamacpp",
    "triton",
    "ray_serve",
    "litellm",
    "torchserve",
    "tf_serving",
    "mlserver",
    "kserve",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric by its names, today's first, each without `_total`, which may follow or not.

    An `optional` one is read where it is and not missed where it is not.
    """

    names: tuple[str, ...]
    optional: bool = False


def _metric(*names: str) -> Metric:
    return Metric(names=names)


def _optional(*names: str) -> Metric:
    return Metric(names=names, optional=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """One server's row.

    `running` and `waiting` are gauges, added up. `progress` changes whenever work goes on: tokens
    and steps where they are counted, else finished requests (`at_end`: nothing moves in between).
    What our own health questions or our giving up would move is not among it. A page may be as old
    as `refresh_seconds`. `lacks` says what the server does not tell.
    """

    running: tuple[Metric, ...] = ()
    waiting: tuple[Metric, ...] = ()
    progress: tuple[Metric, ...]
    at_end: bool = False
    refresh_seconds: float = 0.0
    lacks: str = ""

    def metrics(self) -> Iterator[Metric]:
        """Give every metric of the row."""
        yield from (*self.running, *self.waiting, *self.progress)


SERVERS: Mapping[str, Names] = {
    # vllm/v1/metrics/loggers.py; V0 called the same things the same, and swapped requests out.
    "vllm": Names(
        running=(_metric("vllm:num_requests_running"),),
        waiting=(_metric("vllm:num_requests_waiting"), _optional("vllm:num_requests_swapped")),
        progress=(
            _metric("vllm:generation_tokens", "vllm:request_generation_tokens_sum"),
            _metric("vllm:prompt_tokens", "vllm:request_prompt_tokens_sum"),
        ),
    ),
    # python/sglang/srt/observability/metrics_collector.py; counters rise at a request's end, the
    # gauge of tokens in memory each few dozen steps.
    "sglang": Names(
        running=(_metric("sglang:num_running_reqs"),),
        waiting=(_metric("sglang:num_queue_reqs"),),
        progress=(
            _metric("sglang:generation_tokens"),
            _metric("sglang:prompt_tokens"),
            _optional("sglang:num_used_tokens"),
        ),
        refresh_seconds=5.0,
    ),
    # router/src/server.rs; its token counts are sums of histograms, filled at a request's end, and
    # the batch counter rises with each step. Without one token ever made some are not there yet.
    "tgi": Names(
        running=(_metric("tgi_batch_current_size"),),
        waiting=(_metric("tgi_queue_size"),),
        progress=(
            _metric("tgi_batch_inference_success", "tgi_batch_inference_count"),
            _optional("tgi_request_generated_tokens_sum"),
        ),
    ),
    # tools/server; tokens are counted at a request's end, calls of the decoder as they are made.
    "llamacpp": Names(
        running=(_metric("llamacpp:requests_processing"),),
        waiting=(_metric("llamacpp:requests_deferred"),),
        progress=(
            _metric("llamacpp:tokens_predicted"),
            _metric("llamacpp:prompt_tokens"),
            _optional("llamacpp:n_decode"),
        ),
    ),
    # core/src/metrics.cc; failures are left out, since a request given up is one.
    "triton": Names(
        waiting=(_metric("nv_inference_pending_request_count"),),
        progress=(_metric("nv_inference_request_success"), _optional("nv_inference_exec_count")),
        at_end=True,
        lacks="a gauge of running requests",
    ),
    # doc/source/serve/monitoring.md; nodes report each ten seconds. HTTP requests are left out,
    # since health questions are among them.
    "ray_serve": Names(
        running=(_metric("ray_serve_replica_processing_queries"),),
        waiting=(
            _metric("ray_serve_deployment_queued_queries", "ray_serve_replica_queued_queries"),
        ),
        progress=(
            _metric(
                "ray_serve_deployment_processing_latency_ms_count",
                "ray_serve_deployment_request_counter",
            ),
        ),
        at_end=True,
        refresh_seconds=20.0,
        lacks="anything newer than its nodes' last report, ten seconds apart",
    ),
    # litellm/types/integrations/prometheus.py; tokens are counted at a request's end.
    "litellm": Names(
        running=(_optional("litellm_in_flight_requests"),),
        progress=(
            _metric("litellm_output_tokens_metric", "litellm_output_tokens"),
            _metric("litellm_input_tokens_metric", "litellm_input_tokens"),
        ),
        at_end=True,
        lacks="a gauge of its queue (only a histogram of the time in it)",
    ),
    # ts/configs/metrics.yaml; requests are counted when they come in, so the time of inference,
    # added up when one is done, stands for them.
    "torchserve": Names(
        progress=(_metric("ts_inference_latency_microseconds"),),
        at_end=True,
        lacks="gauges of running and waiting requests (QueueTime is the last one's wait)",
    ),
    # servables/tensorflow/util.cc; the exporter turns each / into a colon.
    "tf_serving": Names(
        progress=(_metric(":tensorflow:serving:request_count"),),
        at_end=True,
        lacks="gauges of running and waiting requests",
    ),
    # mlserver/handlers/dataplane.py; the REST gauge's prefix is a setting, so it may be another.
    "mlserver": Names(
        running=(_optional("rest_server_requests_in_progress"),),
        progress=(_metric("model_infer_request_success"),),
        at_end=True,
        lacks="a gauge of its queues (only histograms of their lengths)",
    ),
    # python/kserve/kserve/metrics.py
    "kserve": Names(
        progress=(_metric("request_predict_seconds_count"),),
        at_end=True,
        lacks="gauges of running and waiting requests",
    ),
}
