"""`/probe?module=&target=`: one run at once, answered with gauges.

What blackbox_exporter has too is named as there; timings of language models are `probe_llm_*`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter import blackbox
from exporter.access import Tls, url_of
from exporter.address import allows
from exporter.excerpt import clean, mask, secrets_of
from exporter.exposition import header, render_samples
from exporter.metrics import Family, Sample
from exporter.probe import Question, probe_of, probes
from exporter.run import Run, perform
from exporter.target import State, Target
from exporter.transport import Transport
from exporter.verdict import ANSWER_REASONS, Seen, decide

_OFFSET_SECONDS = 0.5
_LEAST_SECONDS = 0.05
_DEBUG_CHARACTERS = 20_000
_TCP = re.compile(r"^(?:tcp|tls)://")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?")
_SHOWN_HEADERS = frozenset(
    {"content-type", "content-length", "content-encoding", "server", "date", "retry-after"}
    | {"location", "transfer-encoding", "connection", "via"}
)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name=name, kind="gauge", help=text, labels=labels)


_STATE = _gauge("probe_target_state", "1 for the state seen, 0 for the others.", "state")
_REASON = _gauge("probe_failure_reason", "Always 1; why the run failed.", "reason")
_CHECK = _gauge("probe_check_success", "Whether the answer held the check.", "check")
_FIRST_TOKEN = _gauge("probe_llm_time_to_first_token_seconds", "Request written to first token.")
_FIRST_ANSWER = _gauge(
    "probe_llm_time_to_first_answer_seconds", "Request written to first token of the answer."
)
_PER_TOKEN = _gauge("probe_llm_time_per_output_token_seconds", "Time per token after the first.")
_GAP = _gauge("probe_llm_chunk_gap_max_seconds", "Longest wait between two chunks.")
_BUFFERED = _gauge("probe_llm_stream_buffered", "Whether the stream came all at once.")
_TOKENS = _gauge("probe_llm_tokens", "Tokens that the run cost.", "direction")


class RefusedError(Exception):
    """A request that is refused, by its text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnDemand:
    """One request to /probe, checked."""

    target: Target
    question: Question


def prepare(
    modules: Mapping[str, Target],
    query: Mapping[str, str],
    scrape_timeout: str | None,
) -> OnDemand:
    """Read a request's parameters against the configuration.

    Raises RefusedError: unknown module or canary, no target, or one that the module does not allow.
    """
    name = query.get("module", "")
    module = modules.get(name)
    if module is None:
        raise RefusedError("module: unknown; use one of the configuration's probe_modules")
    url = _allowed_url(query.get("target", ""), module)
    timeout = _timeout_seconds(module, scrape_timeout)
    target = module.model_copy(update={"name": name, "url": url, "timeout": timeout})
    target = _named(target, query.get("hostname", ""))
    questions = {question.canary: question for question in probe_of(target).questions()}
    canary = query.get("canary", next(iter(questions)))
    if canary not in questions:
        raise RefusedError("canary: unknown; use one of the module's canaries")
    return OnDemand(target=target, question=questions[canary])


def _named(target: Target, hostname: str) -> Target:
    """Ask an address for a host by its name: in the Host header and in TLS, as blackbox does it."""
    if not hostname:
        return target
    if not _HOST.fullmatch(hostname):
        raise RefusedError("hostname: not a host's name; write host or host:port")
    headers = getattr(target, "headers", None)
    if headers is None:
        raise RefusedError("hostname: the module's kind sends no headers; leave it out")
    tls = target.tls or Tls()
    if tls.server_name is None:
        tls = tls.model_copy(update={"server_name": hostname.partition(":")[0]})
    return target.model_copy(update={"headers": {**headers, "Host": hostname}, "tls": tls})


def _allowed_url(given: str, module: Target) -> str:
    if not given:
        raise RefusedError("target: missing; add &target=http://host")
    is_tcp = probes.kind_of(module) == "tcp"
    url = given if "://" in given else f"{'tcp' if is_tcp else 'http'}://{given}"
    if is_tcp:
        url = _TCP.sub(lambda found: "https://" if found[0] == "tls://" else "http://", url, 1)
    try:
        url = url_of(url)
    except ValueError as error:
        raise RefusedError(f"target: {error}") from None
    parts = urlsplit(url)
    if is_tcp and parts.port is None:
        raise RefusedError("target: no port; write host:port")
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not any(allows(pattern, host, port) for pattern in module.allow_targets):
        raise RefusedError("target: not among the module's allow_targets; add it there")
    if is_tcp:
        return f"{'tls' if parts.scheme == 'https' else 'tcp'}://{host}:{port}"
    return url


def _timeout_seconds(module: Target, scrape_timeout: str | None) -> float:
    """Return the module's timeout, or what the scrape leaves when that is less."""
    try:
        offered = float(scrape_timeout or "")
    except ValueError:
        return module.timeout_seconds
    if not 0 < offered < float("inf"):
        return module.timeout_seconds
    return min(module.timeout_seconds, max(offered - _OFFSET_SECONDS, _LEAST_SECONDS))


async def run(request: OnDemand, transport: Transport) -> tuple[Run, bytes]:
    """Make the run; return it and its exposition."""
    made = await perform(request.target, request.question, transport)
    return made, _exposition(request.target, made)


def _exposition(target: Target, made: Run) -> bytes:
    """Render the families; a check of a kind given twice holds when all of them do."""
    parts = []
    for family, samples in _samples(target, made).items():
        if samples:
            parts.append(header(family, openmetrics=False))
            parts.append(render_samples(family, samples, target=None))
    return b"".join(parts)


def _samples(target: Target, made: Run) -> Mapping[Family, list[Sample]]:
    seen = made.observation
    state = _state(made)
    held: dict[str, bool] = {}
    for result in made.checks:
        held[result.check] = held.get(result.check, True) and result.passed
    tokens = {"prompt": seen.prompt_tokens, "output": seen.output_tokens}
    return {
        **blackbox.samples(target, made),
        _STATE: _each("state", {each: each is state for each in State}),
        _REASON: _each("reason", {made.reason: 1} if made.reason else {}),
        _CHECK: _each("check", held),
        _FIRST_TOKEN: _one(seen.first_token_seconds),
        _FIRST_ANSWER: _one(seen.first_answer_seconds),
        _PER_TOKEN: _one(seen.time_per_output_token_seconds),
        _GAP: _one(seen.chunk_gap_max_seconds),
        _BUFFERED: _one(seen.stream_buffered),
        _TOKENS: _each("direction", tokens),
    }


def _one(value: float | None) -> list[Sample]:
    return [] if value is None else [Sample(value=value)]


def _each(label: str, values: Mapping[str, float | None]) -> list[Sample]:
    return [
        Sample(value=value, labels=((label, name),))
        for name, value in values.items()
        if value is not None
    ]


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


def debug_text(request: OnDemand, made: Run, exposition: bytes) -> str:
    """Return the whole run for people to read, secrets masked; headers that may hold one too."""
    exchange = made.exchange
    lines = [
        "# The run",
        f"target: {request.target.url}",
        f"canary: {request.question.canary or '-'}",
        f"reason: {made.reason or '-'}",
        f"detail: {made.detail or '-'}",
        *(f"check {each.check}: {_shown(each.passed, each.detail)}" for each in made.checks),
    ]
    if exchange is not None:
        lines += ["", "# The exchange", f"status: {exchange.status or '-'}"]
        lines += [f"{phase}: {value:.6f} s" for phase, value in exchange.times.phases().items()]
        for name, value in exchange.headers.items():
            shown = value if name in _SHOWN_HEADERS else f"({len(value)} characters)"
            lines.append(f"{clean(name, 100)}: {clean(shown)}")
        body = exchange.body[: _DEBUG_CHARACTERS * 4].decode("utf-8", "replace")
        lines += ["", f"# The body, {len(exchange.body)} bytes", clean(body, _DEBUG_CHARACTERS)]
    lines += ["", "# Metrics that would have been returned", exposition.decode()]
    lines += ["# The module", request.target.model_dump_json(indent=2, exclude_unset=True), ""]
    return mask("\n".join(lines), secrets_of(request.target))


def _shown(held: bool, detail: str) -> str:  # noqa: FBT001 - the two halves of one result
    return "held" if held else f"not held ({detail})"
