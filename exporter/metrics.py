"""Every family of the fleet once: name, type, help, labels, unit, buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Room for 10,000 language models; what a list that ran away adds must not bury Prometheus.
MOST_SERIES = 2_000_000

# Bounds are the thresholds that objectives may use, so they are round figures that people promise.
# Runs: 5 ms is a predictive model in the same rack, a minute the longest that a chat is waited for.
_RUN_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0),
)
# A first token within 10 ms is a cache or a stand-in; readers feel steps of a quarter to half a
# second up to two, and engines under a queue answer in 5 to 40. Most bounds are in vLLM's own
# histogram too, so that its heatmap and ours line up; 0.2, 0.3, 1.5, 2 and 3 are promises it lacks.
_FIRST_TOKEN_BUCKETS = (
    *(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 40.0),
)
# From 500 tokens a second (2 ms: small models, speculation) through reading speed (50 to 100 ms) to
# a token in two seconds, which nobody waits for; densest where engines are, at 10 to 100 ms.
_TOKEN_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Family:
    """One metric family; every series carries `target`, then `labels`.

    There is one of each: compared by identity, since it is the key of all that is counted.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()


SUCCESS = Family(
    name="vigie_probe_success",
    kind="gauge",
    help="Whether the last run brought a right answer, be it over a limit (1), or not (0);"
    " absent before the first run, after a skipped one, and when no run finished for three"
    " intervals.",
)
LAST_RUN = Family(
    name="vigie_probe_last_run_timestamp_seconds",
    kind="gauge",
    help="When the last run finished.",
    unit="seconds",
)
INTERVAL = Family(
    name="vigie_probe_interval_seconds",
    kind="gauge",
    help="Time between the starts of two runs: the configured one, or what `pace` makes of it now.",
    unit="seconds",
)
DURATION = Family(
    name="vigie_probe_duration_seconds",
    kind="histogram",
    help="Duration of runs, failed ones included but for the reason internal.",
    unit="seconds",
    buckets=_RUN_BUCKETS,
)
PHASE = Family(
    name="vigie_probe_phase_duration_seconds",
    kind="gauge",
    help="Duration of the last run's phases, as far as it came:"
    " resolve, connect, tls, processing, transfer.",
    labels=("phase",),
    unit="seconds",
)
RUNS = Family(name="vigie_probes_total", kind="counter", help="Runs attempted; skipped ones not.")
FAILURES = Family(
    name="vigie_probe_failures_total",
    kind="counter",
    help="Runs that brought no right answer.",
)
REASONS = Family(
    name="vigie_probe_failure_reasons_total",
    kind="counter",
    help="Runs that brought no right answer, by reason; a reason appears with its first failure.",
    labels=("reason",),
)
SKIPPED = Family(
    name="vigie_probe_skipped_total",
    kind="counter",
    help="Runs not made, by reason: the target's budget or that of all (budget, total_budget), or"
    " too many requests waiting in the server (waiting).",
    labels=("reason",),
)
STATE = Family(
    name="vigie_target_state",
    kind="gauge",
    help="1 for the state that the last run left the target in, 0 for the others. A right answer"
    " over a limit is degraded; unknown says nothing about the model.",
    labels=("state",),
)
INFO = Family(
    name="vigie_target_info",
    kind="gauge",
    help="Always 1; what is known of the target, its own labels as label_<name>.",
    labels=("kind", "host", "model"),
)
FIRST_TOKEN = Family(
    name="vigie_llm_time_to_first_token_seconds",
    kind="histogram",
    help="From the request's last byte written to the first chunk with content, reasoning or a"
    " tool call; prompts are warm (known to caches) or cold.",
    labels=("prompt",),
    unit="seconds",
    buckets=_FIRST_TOKEN_BUCKETS,
)
FIRST_ANSWER = Family(
    name="vigie_llm_time_to_first_answer_seconds",
    kind="histogram",
    help="From the request's last byte written to the first chunk of the answer itself,"
    " reasoning left out.",
    labels=("prompt",),
    unit="seconds",
    buckets=_FIRST_TOKEN_BUCKETS,
)
PER_TOKEN = Family(
    name="vigie_llm_time_per_output_token_seconds",
    kind="histogram",
    help="(end - first token) / (output tokens - 1), tokens as the server counted them.",
    labels=("prompt",),
    unit="seconds",
    buckets=_TOKEN_BUCKETS,
)
CHUNK_GAP = Family(
    name="vigie_llm_chunk_gap_max_seconds",
    kind="gauge",
    help="Longest wait between two chunks of the last run; a chunk may hold several tokens.",
    unit="seconds",
)
BUFFERED = Family(
    name="vigie_llm_stream_buffered",
    kind="gauge",
    help="Whether the last run's stream came all at once (1) or as it was made (0).",
)
RATELIMIT = Family(
    name="vigie_ratelimit_remaining_ratio",
    kind="gauge",
    help="What is left of a rate limit as the last run's answer told it, by resource: requests or"
    " tokens (input_, output_), with the window where it is named (_minute).",
    labels=("resource",),
    unit="ratio",
)
TOKENS = Family(
    name="vigie_llm_tokens_total",
    kind="counter",
    help="Tokens that runs cost, as the server counted them; direction is prompt or output.",
    labels=("direction",),
    unit="tokens",
)
PASS_RATIO = Family(
    name="vigie_canary_pass_ratio",
    kind="gauge",
    help="Right answers among the canary's last n runs that were answered.",
    labels=("canary",),
    unit="ratio",
)
CHECKS = Family(
    name="vigie_checks_total",
    kind="counter",
    help="Checks made on answers.",
    labels=("check",),
)
CHECK_FAILURES = Family(
    name="vigie_check_failures_total",
    kind="counter",
    help="Checks that an answer did not hold, limits included.",
    labels=("check",),
)
MODEL = Family(
    name="vigie_model_info",
    kind="gauge",
    help="Always 1; the model that last said to have answered.",
    labels=("served_model", "fingerprint", "version"),
)
MODEL_CHANGES = Family(
    name="vigie_model_changes_total",
    kind="counter",
    help="Times that another model answered, counted after three answers in a row.",
)
RETIREMENT = Family(
    name="vigie_model_retirement_timestamp_seconds",
    kind="gauge",
    help="When the provider says that the model asked for will be gone; absent when it says none.",
    labels=("model",),
    unit="seconds",
)
DIALECT = Family(
    name="vigie_target_dialect_info",
    kind="gauge",
    help="Always 1; the dialect of OpenAI's API that is spoken, and the fields left out because the"
    " server refused them (learnt, where the dialect is auto).",
    labels=("dialect", "left_out"),
)
NATIVE_MISSING = Family(
    name="vigie_native_metric_missing",
    kind="gauge",
    help="Whether a name that the model server's kind should have (metric) was missing from its"
    " metrics when they were last read (1) or not (0); absent when they could not be read.",
    labels=("metric",),
)
CERTIFICATE = Family(
    name="vigie_tls_certificate_expiry_timestamp_seconds",
    kind="gauge",
    help="When the certificate last seen expires.",
    unit="seconds",
)
BUDGET = Family(
    name="vigie_budget_tokens",
    kind="gauge",
    help="Tokens that the target's runs may cost a day.",
    unit="tokens",
)
BUDGET_SPENT = Family(
    name="vigie_budget_tokens_spent",
    kind="gauge",
    help="Tokens that the target's runs cost today (UTC), guessed where the server told none.",
)
BUDGET_LEFT = Family(
    name="vigie_budget_tokens_remaining",
    kind="gauge",
    help="Tokens left of today's (UTC).",
)

FAMILIES: tuple[Family, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Family)
)
"""In the order of their definition, which is the order of the exposition."""

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One line of a family: the name's suffix, the labels after `target`, the value."""

    value: float
    labels: Labels = ()
    suffix: str = ""
