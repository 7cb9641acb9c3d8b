"""What known metric names mean: one table of names, roles, units and the labels worth keeping.

Names: vLLM, SGLang, text-generation-inference, Triton and llama.cpp servers' own metrics; the HTTP
and gRPC conventions of client_golang, client_python and OpenTelemetry; process and container
metrics; kube-state-metrics; and the exporter's families.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a series tells of its component."""

    TRAFFIC = "traffic"
    LATENCY = "latency"
    IN_FLIGHT = "in_flight"
    RUNNING = "running"
    QUEUE = "queue"
    QUEUE_TIME = "queue_time"
    TOKENS = "tokens"
    PROMPT_TOKENS = "prompt_tokens"
    FIRST_TOKEN = "first_token"  # noqa: S105 - a role, not a password
    TOKEN_GAP = "token_gap"  # noqa: S105 - a role, not a password
    CACHE = "cache"
    CPU = "cpu"
    MEMORY = "memory"
    STARTED = "started"
    VERSION = "version"
    UP = "up"
    UPSTREAM_TRAFFIC = "upstream_traffic"
    UPSTREAM_LATENCY = "upstream_latency"
    ERROR_RATIO = "error_ratio"
    UPSTREAM_ERROR_RATIO = "upstream_error_ratio"
    THROTTLED_RATIO = "throttled_ratio"
    PROBE_STATE = "probe_state"
    PROBE_SUCCESS = "probe_success"
    PROBE_LATENCY = "probe_latency"
    PROBE_FIRST_TOKEN = "probe_first_token"  # noqa: S105 - a role, not a password
    PROBE_TOKEN_GAP = "probe_token_gap"  # noqa: S105 - a role, not a password
    PROBE_FAILURES = "probe_failures"
    PROBE_QUALITY = "probe_quality"
    CERTIFICATE_END = "certificate_end"
    ALERT = "alert"
    OTHER = "other"


class Form(StrEnum):
    """How a family is read: a counter's rate, a histogram's mean, a gauge as it is."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One kind of metric: what it means, its unit, and how replicas are put together."""

    role: Role
    text: str
    unit: str
    form: Form | None = None
    combine: str = "sum"
    keep: tuple[str, ...] = ()


PEER_LABELS = (
    "peer",
    "upstream",
    "destination",
    "destination_service",
    "server_address",
    "peer_service",
    "downstream",
)
CODE_LABELS = (
    "code",
    "status",
    "status_code",
    "http_status_code",
    "http_response_status_code",
    "response_code",
    "grpc_code",
    "grpc_status",
    "rpc_grpc_status_code",
    "outcome",
    "result",
)
ROUTE_LABELS = ("handler", "route", "http_route", "path", "endpoint_path", "uri")
VERSION_LABELS = ("version", "revision", "goversion", "image_tag")
# Requests that machines make to look after the component; they would thin out its users' latency.
OWN_ROUTES = r"(?i).*(metrics|health|ready|readyz|livez|/live|ping|favicon).*"
_ERROR_CODE = re.compile(
    r"(?i)5\d\d|5xx|error|errors|failure|failed|fail|timeout|unavailable|internal|unknown"
    r"|deadline_?exceeded|aborted|data_?loss|exception|server_error|1[345]|4|2"
)
_GRPC_LABELS = frozenset({"grpc_code", "grpc_status", "rpc_grpc_status_code"})
_THROTTLE_CODE = re.compile(r"(?i)429|rate_?limited|resource_?exhausted|throttled")


def is_error(label: str, value: str) -> bool:
    """Say whether a status label's value means that the server failed."""
    if value.isdigit() and label not in _GRPC_LABELS:
        return 500 <= int(value) <= 599
    return _ERROR_CODE.fullmatch(value) is not None


def is_throttled(value: str) -> bool:
    """Say whether a status label's value means that the caller came too often."""
    return _THROTTLE_CODE.fullmatch(value) is not None


_LLM = r"(?:vllm|sglang|tgi|trtllm|llamacpp|ml|triton|lmdeploy)[:_].*?"

_TABLE: tuple[tuple[str, Term], ...] = (
    ("up", Term(role=Role.UP, text="scrape succeeds", unit="", form=Form.GAUGE, combine="min")),
    (
        r"vigie_target_state",
        Term(
            role=Role.PROBE_STATE,
            text="state seen by the junior",
            unit="",
            form=Form.GAUGE,
            combine="max",
            keep=("state",),
        ),
    ),
    (
        r"vigie_probe_success",
        Term(
            role=Role.PROBE_SUCCESS, text="probe success", unit="", form=Form.GAUGE, combine="min"
        ),
    ),
    (
        r"vigie_probe_duration_seconds",
        Term(role=Role.PROBE_LATENCY, text="probe duration", unit="seconds", form=Form.HISTOGRAM),
    ),
    (
        r"vigie_llm_time_to_first_token_seconds",
        Term(
            role=Role.PROBE_FIRST_TOKEN,
            text="time to first token seen by the junior",
            unit="seconds",
            form=Form.HISTOGRAM,
        ),
    ),
    (
        r"vigie_llm_time_per_output_token_seconds",
        Term(
            role=Role.PROBE_TOKEN_GAP,
            text="time per output token seen by the junior",
            unit="seconds",
            form=Form.HISTOGRAM,
        ),
    ),
    (
        r"vigie_probe_failure(s|_reasons)(_total)?",
        Term(
            role=Role.PROBE_FAILURES,
            text="failed probes",
            unit="per_second",
            form=Form.COUNTER,
            keep=("reason",),
        ),
    ),
    (
        r"vigie_canary_pass_ratio",
        Term(
            role=Role.PROBE_QUALITY,
            text="canaries answered right",
            unit="ratio",
            form=Form.GAUGE,
            combine="min",
            keep=("canary",),
        ),
    ),
    (
        r".*(tls|ssl|cert).*expir.*(_timestamp)?(_seconds)?|probe_ssl_earliest_cert_expiry",
        Term(
            role=Role.CERTIFICATE_END,
            text="certificate ends",
            unit="timestamp",
            form=Form.GAUGE,
            combine="min",
        ),
    ),
    (
        _LLM
        + r"(num_requests_waiting|num_queue_reqs|queue_size|requests_(deferred|waiting))"
        + r"|nv_inference_pending_request_count|.*_(queue_length|queue_depth|queue_size|backlog)",
        Term(role=Role.QUEUE, text="requests waiting", unit="count", form=Form.GAUGE),
    ),
    (
        _LLM + r"(num_requests_running|num_running_reqs|batch_current_size|requests_processing)",
        Term(role=Role.RUNNING, text="requests running", unit="count", form=Form.GAUGE),
    ),
    (
        _LLM + r"(request_queue_time|queue_time|request_queue_duration).*|nv_inference_queue_.*",
        Term(role=Role.QUEUE_TIME, text="time in the queue", unit="seconds"),
    ),
    (
        _LLM + r"(generation_tokens|generated_tokens|tokens_predicted)(_total)?",
        Term(role=Role.TOKENS, text="tokens generated", unit="per_second", form=Form.COUNTER),
    ),
    (
        _LLM + r"(prompt_tokens|input_tokens)(_total)?",
        Term(role=Role.PROMPT_TOKENS, text="prompt tokens", unit="per_second", form=Form.COUNTER),
    ),
    (
        _LLM + r"(time_to_first_token|ttft)(_seconds)?",
        Term(role=Role.FIRST_TOKEN, text="time to first token", unit="seconds"),
    ),
    (
        _LLM + r"(inter_token_latency|time_per_output_token|mean_time_per_token|itl).*",
        Term(role=Role.TOKEN_GAP, text="time per output token", unit="seconds"),
    ),
    (
        _LLM + r"(kv_cache_usage|gpu_cache_usage|token_usage|cache_usage).*",
        Term(
            role=Role.CACHE,
            text="key-value cache in use",
            unit="ratio",
            form=Form.GAUGE,
            combine="max",
        ),
    ),
    (
        _LLM + r"(e2e_request_latency|request_duration|request_latency).*"
        r"|nv_inference_request_duration.*",
        Term(role=Role.LATENCY, text="time per request", unit="seconds"),
    ),
    (
        r".*(upstream|client|outbound|outgoing)_?.*requests?(_total|_count)?",
        Term(
            role=Role.UPSTREAM_TRAFFIC,
            text="requests to a peer",
            unit="per_second",
            form=Form.COUNTER,
            keep=(*PEER_LABELS, *CODE_LABELS),
        ),
    ),
    (
        r".*(upstream|client|outbound|outgoing)_?.*(duration|latency|time).*seconds",
        Term(
            role=Role.UPSTREAM_LATENCY,
            text="time a peer takes",
            unit="seconds",
            form=Form.HISTOGRAM,
            keep=PEER_LABELS,
        ),
    ),
    (
        (
            r"(http|grpc)_?.*requests?_(in_flight|in_progress|inprogress|active|pending)"
            r"|.*(active_requests|requests_in_flight|requests_inflight)"
        ),
        Term(role=Role.IN_FLIGHT, text="requests in flight", unit="count", form=Form.GAUGE),
    ),
    (
        (
            r"(.*_)?(http|grpc|rpc)(_server)?_?.*(requests?|handled|responses?)(_total|_count)?"
            r"|nv_inference_request_(success|failure)|requests?_total|.*_http_requests_total"
        ),
        Term(
            role=Role.TRAFFIC,
            text="requests",
            unit="per_second",
            form=Form.COUNTER,
            keep=CODE_LABELS,
        ),
    ),
    (
        (
            r"(.*_)?(http|grpc|rpc).*(duration|latency|handling|response_time).*(seconds)?"
            r"|request_(duration|latency)_seconds"
        ),
        Term(role=Role.LATENCY, text="time per request", unit="seconds", form=Form.HISTOGRAM),
    ),
    (
        r"process_start_time_seconds|container_start_time_seconds",
        Term(
            role=Role.STARTED,
            text="process started",
            unit="timestamp",
            form=Form.GAUGE,
            combine="max",
        ),
    ),
    (
        r"process_resident_memory_bytes|container_memory_working_set_bytes",
        Term(role=Role.MEMORY, text="memory in use", unit="bytes", form=Form.GAUGE, combine="max"),
    ),
    (
        r"process_cpu_seconds_total|container_cpu_usage_seconds_total",
        Term(role=Role.CPU, text="processors in use", unit="ratio", form=Form.COUNTER),
    ),
    (
        r"(.*_)?build_info",
        Term(
            role=Role.VERSION,
            text="version that runs",
            unit="",
            form=Form.GAUGE,
            combine="max",
            keep=VERSION_LABELS,
        ),
    ),
)
_COMPILED = tuple((re.compile(pattern), term) for pattern, term in _TABLE)

# Moves with everything else, or says nothing of what users feel: looked at last, and last cut.
_DULL = re.compile(r"(python|go|process|jvm|nodejs|promhttp|scrape|net_conntrack)_.*|.*_info|up")
_SKIPPED = re.compile(r"ALERTS.*|scrape_.*|.*_created|.*:.*:.*|go_memstats_.*|python_info")


def term_of(name: str) -> Term | None:
    """Return what the family *name* (without _bucket, _sum, _count) means, None when unknown."""
    for pattern, term in _COMPILED:
        if pattern.fullmatch(name):
            return term
    return None


def skipped(name: str) -> bool:
    """Say whether a metric is about the monitoring itself, or made from others."""
    return _SKIPPED.fullmatch(name) is not None


def precedence(name: str) -> tuple[int, str]:
    """Return what families are sorted by when there are too many: known, unknown, dull."""
    if term_of(name) is not None:
        return 0, name
    return (2 if _DULL.fullmatch(name) else 1), name


def code_of(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the status label of a series and its value, None without one."""
    return next(((name, labels[name]) for name in CODE_LABELS if labels.get(name)), None)


def peer_of(labels: Mapping[str, str]) -> str | None:
    """Return whom a caller's series speaks of, None without such a label."""
    return next((labels[name] for name in PEER_LABELS if labels.get(name)), None)


# Which way is worse: +1 up, -1 down, 0 either way says something is different.
WORSE: Mapping[Role, int] = {
    Role.LATENCY: 1,
    Role.IN_FLIGHT: 1,
    Role.RUNNING: 1,
    Role.QUEUE: 1,
    Role.QUEUE_TIME: 1,
    Role.TOKENS: -1,
    Role.FIRST_TOKEN: 1,
    Role.TOKEN_GAP: 1,
    Role.CACHE: 1,
    Role.CPU: 1,
    Role.MEMORY: 1,
    Role.UP: -1,
    Role.UPSTREAM_LATENCY: 1,
    Role.ERROR_RATIO: 1,
    Role.UPSTREAM_ERROR_RATIO: 1,
    Role.THROTTLED_RATIO: 1,
    Role.PROBE_SUCCESS: -1,
    Role.PROBE_LATENCY: 1,
    Role.PROBE_FIRST_TOKEN: 1,
    Role.PROBE_TOKEN_GAP: 1,
    Role.PROBE_FAILURES: 1,
    Role.PROBE_QUALITY: -1,
}
_BAD_NAMES = re.compile(
    r"(?i).*(latency|duration|error|fail|timeout|retr|drop|cpu|mem|queue|wait|lag|reject|throttl)"
)
_GOOD_NAMES = re.compile(r"(?i).*(availab|success|healthy|ready|hit_ratio|hit_rate)")


def worse(role: Role, name: str) -> int:
    """Return the direction in which a series gets worse: 1 up, -1 down, 0 unknown."""
    if role in WORSE:
        return WORSE[role]
    if role is not Role.OTHER:
        return 0
    if _GOOD_NAMES.match(name):
        return -1
    return 1 if _BAD_NAMES.match(name) else 0
