"""What the investigation stands on: evidence with its source, query, window and quantities."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import orjson
import pydantic

Floats = npt.NDArray[np.float64]

CLOCK = "clock of Prometheus"
"""Title of the evidence that says how far Prometheus's clock is from ours, where it matters."""


ASKED_BY = "asked by"
"""The fact that marks evidence whose query an analyst wrote."""

UNCONFIGURED = "not configured"
"""The detail of a source that nobody asked for."""

CALLS = "who calls whom"
"""How the title of evidence begins whose quantities are calls."""

CALL, CALLER, CALLEE = "calls", "caller", "callee"
"""The name of such a quantity, and its labels."""


class Status(StrEnum):
    """What came of asking: only `ok` carries quantities, and `empty` is not healthy."""

    OK = "ok"
    EMPTY = "empty"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"


class Record(pydantic.BaseModel):
    """A frozen record that is stored as JSON and survives a process."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Window(Record):
    """A span of time in seconds since the epoch."""

    start: float
    end: float


class Quantity(Record):
    """One typed number of a piece of evidence.

    `name` says what it is ("value at onset", "baseline", "active alerts"); `unit` is one of
    seconds, ratio, bytes, count, per_second, timestamp or the empty string; `at` is when it held.
    """

    name: str
    value: float
    unit: str = ""
    labels: Mapping[str, str] = pydantic.Field(default_factory=dict)
    at: float | None = None


class Evidence(Record):
    """One thing looked at; `id` is E1..En in the order of gathering.

    `facts` are short cleaned texts (states, reasons, titles) that a claim may name; `component`
    is the part of the system it speaks of, where known; `link` opens it in its own tool.
    """

    id: str
    source: str
    title: str
    query: str
    window: Window
    status: Status
    component: str | None = None
    quantities: tuple[Quantity, ...] = ()
    facts: Mapping[str, str] = pydantic.Field(default_factory=dict)
    detail: str = ""
    chart_svg: str = ""
    link: str = ""
    seconds: float = 0.0


class CauseKind(StrEnum):
    """The closed set of causes a report may name."""

    TRAFFIC_SURGE = "traffic_surge"
    CAPACITY = "capacity"
    HUNG_ENGINE = "hung_engine"
    SLOW_ENGINE = "slow_engine"
    INTERNAL_ERROR = "internal_error"
    CRASH = "crash"
    OUT_OF_MEMORY = "out_of_memory"
    BAD_ROLLOUT = "bad_rollout"
    MODEL_REGRESSION = "model_regression"
    INPUT_DATA = "input_data"
    DEPENDENCY = "dependency"
    PROVIDER_OUTAGE = "provider_outage"
    RATE_LIMIT = "rate_limit"
    NETWORK = "network"
    CERTIFICATE = "certificate"
    CONFIGURATION = "configuration"
    GPU_HARDWARE = "gpu_hardware"
    MONITORING = "monitoring"
    UNKNOWN = "unknown"


class Point(Record):
    """One sentence and the ids of the evidence that carries it."""

    text: str
    evidence: tuple[str, ...]


class Suspect(Record):
    """A component that may be the cause, its kind, and what speaks for and against it.

    `points` are the single statements behind the explanation, each with its evidence.
    """

    component: str
    kind: CauseKind
    score: float
    onset_at: float | None
    explanation: str
    supporting: tuple[str, ...] = ()
    opposing: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Recalled:
    """What a query gave at another time: series as labels and values, or why there are none."""

    status: Status
    series: tuple[tuple[Mapping[str, str], tuple[float, ...]], ...] = ()
    problem: str = ""
    seconds: float = 0.0
    link: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The series that suspects are ranked on: `values` is samples x series, NaN where missing.

    `labels[i]` are the labels of column i, `__name__` and the owning `component` among them.
    """

    times: Floats
    values: Floats
    labels: tuple[Mapping[str, str], ...]

    def to_bytes(self) -> bytes:
        """Pack the frame as a compressed npz without pickles."""
        packed = io.BytesIO()
        names = np.frombuffer(orjson.dumps([dict(each) for each in self.labels]), dtype=np.uint8)
        np.savez_compressed(packed, times=self.times, values=self.values, labels=names)
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Frame:
        """Unpack what `to_bytes` packed."""
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            labels: Sequence[Mapping[str, str]] = orjson.loads(arrays["labels"].tobytes())
            return cls(times=arrays["times"], values=arrays["values"], labels=tuple(labels))
