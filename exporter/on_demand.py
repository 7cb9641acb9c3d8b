"""`/probe?module=&target=`: one run at once, answered with gauges.

What blackbox_exporter has too is named as there; timings of language models are `probe_llm_*`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter.address import allows
from exporter.blackbox.names import Samples, each, gauge, named, one
from exporter.exposition import header, render_samples
from exporter.hostname import hostname_of
from exporter.probe import Question, probe_of, read_url
from exporter.run import Run, perform
from exporter.target import State, Target
from exporter.transport import Transport
from exporter.verdict import ANSWER_REASONS, Seen, decide
from exporter.witness import Said, Witness

_OFFSET_SECONDS = 0.5
_LEAST_SECONDS = 0.05
_DEFAULT_MODULE = "http_2xx"

_STATE = gauge("probe_target_state", "1 for the state seen, 0 for the others.", "state")
_REASON = gauge("probe_failure_reason", "Always 1; why the run failed.", "reason")
_CHECK = gauge("probe_check_success", "Whether the answer held the check.", "check")
_FIRST_TOKEN = gauge("probe_llm_time_to_first_token_seconds", "Request written to first token.")
_FIRST_ANSWER = gauge(
    "probe_llm_time_to_first_answer_seconds", "Request written to first token of the answer."
)
_PER_TOKEN = gauge("probe_llm_time_per_output_token_seconds", "Time per token after the first.")
_GAP = gauge("probe_llm_chunk_gap_max_seconds", "Longest wait between two chunks.")
_BUFFERED = gauge("probe_llm_stream_buffered", "Whether the stream came all at once.")
_TOKENS = gauge("probe_llm_tokens", "Tokens that the run cost.", "direction")


class RefusedError(Exception):
    """A request that is refused, by its text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnDemand:
    """One request to /probe, checked; `hostname` is asked for in the target's place."""

    target: Target
    question: Question
    hostname: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a request to /probe brought: the run, all that was said in it, and its exposition."""

    made: Run
    said: tuple[Said, ...]
    exposition: bytes


def prepare(
    modules: Mapping[str, Target],
    query: Mapping[str, str],
    scrape_timeout: str | None,
) -> OnDemand:
    """Read a request's parameters against the configuration.

    Raises RefusedError: unknown module or canary, no target, or one that the module does not allow.
    """
    name = query.get("module", _DEFAULT_MODULE)
    module = modules.get(name)
    if module is None:
        raise RefusedError("module: unknown; use one of the configuration's probe_modules")
    url = _allowed_url(query.get("target", ""), module)
    timeout = _timeout_seconds(module, scrape_timeout)
    target = module.model_copy(update={"name": name, "url": url, "timeout": timeout})
    questions = {question.canary: question for question in probe_of(target).questions()}
    canary = query.get("canary", next(iter(questions)))
    if canary not in questions:
        raise RefusedError("canary: unknown; use one of the module's canaries")
    hostname = _hostname(query.get("hostname", ""), module)
    return OnDemand(target=target, question=questions[canary], hostname=hostname)


def _allowed_url(given: str, module: Target) -> str:
    if not given:
        raise RefusedError(f"target: missing; add &target={module.scheme}://host")
    try:
        url = read_url(module, given if "://" in given else f"{module.scheme}://{given}")
    except ValueError as error:
        raise RefusedError(f"target: {error}") from None
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not any(allows(pattern, host, port) for pattern in module.allow_targets):
        raise RefusedError("target: not among the module's allow_targets; add it there")
    return url


def _hostname(given: str, module: Target) -> str | None:
    """Read the name to ask for; that of the module is not to be overruled from outside."""
    if not given:
        return None
    own = getattr(module, "hostname", None)
    if own not in {None, given}:
        raise RefusedError("hostname: the module has its own; leave it out")
    try:
        return hostname_of(given)
    except ValueError as error:
        raise RefusedError(f"hostname: {error}") from None


def _timeout_seconds(module: Target, scrape_timeout: str | None) -> float:
    """Return the module's timeout, or what the scrape leaves when that is less."""
    try:
        offered = float(scrape_timeout or "")
    except ValueError:
        return module.timeout_seconds
    if not 0 < offered < float("inf"):
        return module.timeout_seconds
    return min(module.timeout_seconds, max(offered - _OFFSET_SECONDS, _LEAST_SECONDS))


async def run(
    request: OnDemand, transport: Transport, clock: Callable[[], float] = time.monotonic
) -> Answer:
    """Make the run; return it with what was said and its exposition."""
    begin = clock()
    witness = Witness(transport, request.hostname)
    made = await perform(request.target, request.question, witness)
    samples = named(
        made,
        duration_seconds=clock() - begin,
        timeout_seconds=request.target.timeout_seconds,
        over_http=urlsplit(request.target.url or "").scheme in {"http", "https"},
    )
    text = _exposition({**samples, **_samples(made)})
    return Answer(made=made, said=tuple(witness.said), exposition=text)


def _exposition(samples: Samples) -> bytes:
    """Render the families that have samples."""
    parts = []
    for family, each_of in samples.items():
        if each_of:
            parts.append(header(family, openmetrics=False))
            parts.append(render_samples(family, each_of, target=None))
    return b"".join(parts)


def _samples(made: Run) -> Samples:
    """Tell what is ours alone; a check of a kind given twice holds when all of them do."""
    seen, state = made.observation, _state(made)
    held: dict[str, bool] = {}
    for result in made.checks:
        held[result.check] = held.get(result.check, True) and result.passed
    tokens = {"prompt": seen.prompt_tokens, "output": seen.output_tokens}
    return {
        _STATE: each("state", {given: given is state for given in State}),
        _REASON: each("reason", {made.reason: 1} if made.reason else {}),
        _CHECK: each("check", dict(held)),
        _FIRST_TOKEN: one(seen.first_token_seconds),
        _FIRST_ANSWER: one(seen.first_answer_seconds),
        _PER_TOKEN: one(seen.time_per_output_token_seconds),
        _GAP: one(seen.chunk_gap_max_seconds),
        _BUFFERED: one(seen.stream_buffered),
        _TOKENS: each("direction", dict(tokens)),
    }


def _state(made: Run) -> State:
    """Judge one run by itself: there is no history, so a wrong answer is wrong."""
    return decide(
        Seen(
            reason=made.reason,
            over_limit=made.over_limit,
            buffered=bool(made.observation.stream_buffered),
            required_under=made.reason in ANSWER_REASONS and not made.question.optional,
            optional_under=made.reason in ANSWER_REASONS and made.question.optional,
            retry_after=made.observation.retry_after_seconds is not None,
        )
    )
