"""The records all rooms speak in: Target, Exchange, Observation, Outcome, Reason, State."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from exporter.access import CONTROL, Auth, Proxy, Tls, Url
from exporter.native.names import Server
from exporter.peer import NO_ONE, Peer
from exporter.swift import swift
from toolkit.settings import Duration, Settings

DEFAULT_RESPONSE_LIMIT_BYTES = 1 << 20
DEFAULT_INTERVAL_SECONDS = 30.0
DEFAULT_TIMEOUT_SECONDS = 10.0

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}")
_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,63}")


class Reason(StrEnum):
    """Why a run failed; a closed set."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_FIRST_TOKEN = "timeout_first_token"  # noqa: S105 - a reason, not a password
    TIMEOUT_TOTAL = "timeout_total"
    STALL = "stall"
    HTTP_4XX = "http_4xx"
    AUTH = "auth"
    RATE_LIMITED = "rate_limited"
    HTTP_5XX = "http_5xx"
    STREAM_ERROR = "stream_error"
    STREAM_TRUNCATED = "stream_truncated"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    REDIRECT = "redirect"
    FORBIDDEN = "forbidden"
    BAD_JSON = "bad_json"
    SCHEMA = "schema"
    WRONG_ANSWER = "wrong_answer"
    EMPTY = "empty"
    CUT_OFF = "cut_off"
    INTERNAL = "internal"


class State(StrEnum):
    """What is known of a target after its last run; a closed set, decided in verdict.py."""

    OK = "ok"
    DEGRADED = "degraded"
    WRONG = "wrong"
    SATURATED = "saturated"
    HUNG = "hung"
    UNRESPONSIVE = "unresponsive"
    DOWN = "down"
    UNKNOWN = "unknown"


class Skip(StrEnum):
    """Why a run was not made; a closed set."""

    BUDGET = "budget"
    TOTAL_BUDGET = "total_budget"
    WAITING = "waiting"


class PromptKind(StrEnum):
    """Whether a server may know the prompt from before (a prefix cache makes it faster)."""

    COLD = "cold"
    WARM = "warm"


@swift
@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """Monotonic seconds of one exchange's events; None where it did not come so far.

    `written` is when the request's last byte was handed to the kernel, `first_byte` when the
    response's head had been read. A resolve of an address literal takes no time and is absent.
    """

    begin: float
    end: float
    resolve_begin: float | None = None
    resolve_end: float | None = None
    connect_begin: float | None = None
    connect_end: float | None = None
    tls_begin: float | None = None
    tls_end: float | None = None
    written: float | None = None
    first_byte: float | None = None

    def phases(self) -> Mapping[str, float]:
        """Seconds of each finished phase, named as blackbox_exporter names them."""
        found: dict[str, float] = {}
        if self.resolve_begin is not None and self.resolve_end is not None:
            found["resolve"] = max(0.0, self.resolve_end - self.resolve_begin)
        if self.connect_begin is not None and self.connect_end is not None:
            found["connect"] = max(0.0, self.connect_end - self.connect_begin)
        if self.tls_begin is not None and self.tls_end is not None:
            found["tls"] = max(0.0, self.tls_end - self.tls_begin)
        if self.first_byte is not None:
            if self.written is not None:
                found["processing"] = max(0.0, self.first_byte - self.written)
            found["transfer"] = max(0.0, self.end - self.first_byte)
        return found


@swift
@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """What one read of the body brought, and when (monotonic seconds)."""

    at: float
    data: bytes


@swift
@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """One request and what came back, as far as it came.

    `failure` is the transport's own (dns to too_large); a bad status is not one. `complete` says
    that the response ended as its framing promised or where the listener had heard enough.
    `reused` says that a kept connection carried it. Of a stream, `merged_reads` counts the reads
    that brought several events, which share one time, and `clock_stepped` says that the wall clock
    jumped meanwhile, so that the kernel's times were dropped for those of the reads. `peer` is the
    far end (its address the proxy's where there is one), `redirects` counts those that were
    followed, and `redirected` is how long each phase took in them.
    `nonce` is what the request was marked with where the answer must repeat it, and `earlier` the
    exchanges of the same run that this one was built from; kinds set both, no transport does.
    """

    times: Times
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    chunks: tuple[Chunk, ...] = ()
    failure: Reason | None = None
    detail: str = ""
    complete: bool = False
    certificate_expiry_timestamp_seconds: float | None = None
    reused: bool = False
    merged_reads: int = 0
    clock_stepped: bool = False
    peer: Peer = NO_ONE
    http_version: str = ""
    redirects: int = 0
    redirected: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    nonce: str = ""
    earlier: tuple[Exchange, ...] = ()

    @property
    def body(self) -> bytes:
        """The body's bytes so far, content encoding removed."""
        if len(self.chunks) == 1:
            return self.chunks[0].data
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def written(self) -> bool:
        """Whether the request had been written when it ended."""
        return self.times.written is not None


@swift
@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What an exchange says in its protocol's terms; the checks read nothing else.

    Absent figures are None. `document` is the parsed JSON of the answer where there is one,
    `vector` the embedding, `version` what the server calls the model's version, `refused_fields`
    what of the request the server named when it refused it (None: it refused none, or what is sent
    is settled). `cut_off` says that a limit of tokens cut the answer, `complaint` what the server
    said in its place; it is for people to read. `headers` are there where checks may ask for them.
    """

    reason: Reason | None = None
    detail: str = ""
    answer: str = ""
    reasoning: str = ""
    document: Any = None
    status_code: int | None = None
    duration_seconds: float = 0.0
    retry_after_seconds: float | None = None
    finish_reason: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    version: str | None = None
    nonfinite_values: int | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    first_token_seconds: float | None = None
    first_answer_seconds: float | None = None
    time_per_output_token_seconds: float | None = None
    chunk_gap_max_seconds: float | None = None
    stream_buffered: bool | None = None
    vector: tuple[float, ...] | None = None
    retirement_timestamp_seconds: float | None = None
    refused_fields: frozenset[str] | None = None
    cut_off: bool = False
    complaint: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@swift
@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """What one check found.

    `reason` None on a failed check means: a limit was exceeded; the answer itself was right.
    """

    check: str
    passed: bool
    reason: Reason | None = None
    detail: str = ""


@swift
@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One finished run, as it is recorded.

    `success` means a right answer, even one over a limit; `why` says how the state was decided.
    Texts (`detail`, `excerpt`, the checks' details) are cleaned, short, and masked.
    """

    canary: str
    prompt: PromptKind | None
    finished_timestamp_seconds: float
    observation: Observation
    reason: Reason | None
    state: State
    checks: tuple[CheckResult, ...] = ()
    phases: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    certificate_expiry_timestamp_seconds: float | None = None
    ratelimit_remaining: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    detail: str = ""
    excerpt: str = ""
    why: str = ""

    @property
    def success(self) -> bool:
        """Whether the answer was right (it may have been slow)."""
        return self.reason is None


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            "not a name; use letters, digits and _ . : / -, beginning with a letter or digit,"
            " at most 100"
        )
    return value


def _check_labels(value: Mapping[str, str]) -> Mapping[str, str]:
    if len(value) > 20:
        raise ValueError(f"{len(value)} labels; at most 20 are allowed")
    for name, text in value.items():
        if not _LABEL.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a label name; use letters, digits and _, beginning with a letter"
            )
        if len(text) > 200 or CONTROL.search(text):
            raise ValueError(
                f"the value of {name!r} is too long or has control characters;"
                " use at most 200 plain characters"
            )
    return value


def _at_least(least_seconds: float, shown: str) -> AfterValidator:
    def check(value: float) -> float:
        if value < least_seconds:
            raise ValueError(f"{value:g} s is too short; use {shown} or more")
        return value

    return AfterValidator(check)


def between(least: int, most: int) -> AfterValidator:
    """Make the validator of a whole number's bounds."""

    def check(value: int) -> int:
        if not least <= value <= most:
            raise ValueError(f"{value} is out of bounds; use {least} to {most}")
        return value

    return AfterValidator(check)


Name = Annotated[str, AfterValidator(_check_name)]
Labels = Annotated[Mapping[str, str], AfterValidator(_check_labels)]
Interval = Annotated[Duration, _at_least(0.1, "100ms")]
Timeout = Annotated[Duration, _at_least(0.01, "10ms")]


class Native(Settings):
    """Where the model server's own metrics are."""

    url: Url = Field(description="address of its metrics")
    server: Server = Field(description="whose names to read")
    auth: Auth | None = Field(
        None, description="credentials, which may be others than the target's"
    )
    tls: Tls | None = Field(None, description="certificate verification")


class Budget(Settings):
    """What the runs may cost."""

    tokens_per_day: Annotated[int, between(1, 10**12)] | None = Field(
        None, description="tokens in 24 hours, spread evenly"
    )
    skip_if_waiting_over: Annotated[int, between(0, 10**9)] | None = Field(
        None, description="skip a run while more requests wait in the server (needs native)"
    )


class Pace(Settings):
    """Bounds of the interval, where it follows the target's state; a bound left out is `interval`.

    Objectives count runs, so that an outage that is probed more often weighs more in them.
    """

    fastest: Interval | None = Field(None, description="at once when it fails")
    slowest: Interval | None = Field(
        None, description="reached while it is well, a quarter longer with each right answer"
    )


class Target(Settings):
    """One ML endpoint, as far as its protocol does not matter; each kind adds its own fields."""

    scheme: ClassVar[str] = "http"
    """What the url of a request to /probe begins with where it does not say."""

    name: Name | None = Field(None, description="the label `target`; not in a probe module")
    url: Url | None = Field(None, description="the endpoint; not in a probe module")
    interval: Interval | None = Field(None, description="between the starts of two runs")
    timeout: Timeout | None = Field(None, description="of one run")
    pace: Pace | None = Field(
        None, description="probe a failing target more often, a well one less"
    )
    labels: Labels = Field(default_factory=dict, description="on target_info, as label_<name>")
    auth: Auth | None = Field(None, description="credentials")
    tls: Tls | None = Field(None, description="certificate verification")
    proxy: Proxy | None = Field(None, description="the way there, where it is not direct")
    keep: bool = Field(False, description="use one connection for many runs")
    native: Native | None = Field(None, description="the model server's own metrics")
    budget: Budget | None = Field(None, description="limits of what runs cost")
    response_limit_bytes: Annotated[int, between(1 << 10, 1 << 26)] = Field(
        DEFAULT_RESPONSE_LIMIT_BYTES, description="a longer answer is refused"
    )
    allow_targets: tuple[str, ...] = Field(
        (),
        description="hosts a probe module or a discovery's template may ask, `*` for any part; not"
        " in a target",
    )

    @property
    def host(self) -> str:
        """Host and port of the url."""
        return urlsplit(self.url or "").netloc

    @property
    def interval_seconds(self) -> float:
        """The interval, the program's default where the file sets none."""
        return DEFAULT_INTERVAL_SECONDS if self.interval is None else self.interval

    @property
    def timeout_seconds(self) -> float:
        """The timeout, the program's default where the file sets none."""
        return DEFAULT_TIMEOUT_SECONDS if self.timeout is None else self.timeout

    @property
    def model_name(self) -> str:
        """The model asked for, empty where the kind has none."""
        return str(getattr(self, "model", "") or "")
