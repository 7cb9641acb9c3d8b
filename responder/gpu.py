"""What DCGM says of graphics processors: which of its series are read, and what became of each.

Names, units and labels as dcgm-exporter writes them (github.com/NVIDIA/dcgm-exporter,
etc/default-counters.csv and etc/dcp-metrics-included.csv; the bits of the clocks' event reasons and
the values that stand for "no value" are those of DCGM's dcgm_fields.h). An Xid is the *last* error
of a processor and stays: only its change is news.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from responder.investigation.evidence import Floats, Quantity

XID = "Xid"
XID_BEFORE = "Xid of before"
THROTTLED = "slowed down"
MOST_HAPPENINGS = 40
_BLANK = 0x7FFFFFFFFFFFFFF0
_BLANK_32 = (0x7FFFFFF0, 0x7FFFFFFF)

# Counters whose growth is news: the series, and what grew.
COUNTERS: Mapping[str, str] = {
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": "double-bit ECC errors",
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": "rows remapped for uncorrectable errors",
    "DCGM_FI_DEV_RETIRED_DBE": "pages retired for double-bit errors",
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": "failed row remappings",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": "PCIe retries",
    "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL": "NVLink flow-control CRC errors",
    "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL": "NVLink data CRC errors",
    "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL": "NVLink retries",
    "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL": "NVLink recovery errors",
}
# Gauges told as they were and are; dcgm-exporter's units are degrees, MiB, % and watts.
GAUGES: Mapping[str, str] = {
    "DCGM_FI_DEV_GPU_TEMP": "temperature in degrees",
    "DCGM_FI_DEV_FB_USED": "memory used in MiB",
    "DCGM_FI_DEV_FB_FREE": "memory free in MiB",
    "DCGM_FI_DEV_GPU_UTIL": "utilisation in %",
    "DCGM_FI_DEV_POWER_USAGE": "power in watts",
    "DCGM_FI_DEV_SM_CLOCK": "clock in MHz",
}
# How long it was slowed down, in ns by newer and us by older exporters: only that it grew is read.
VIOLATIONS: Mapping[str, str] = {
    "DCGM_FI_DEV_THERMAL_VIOLATION": "thermal limits",
    "DCGM_FI_DEV_POWER_VIOLATION": "power limits",
    "DCGM_FI_DEV_RELIABILITY_VIOLATION": "reliability limits",
}
REASONS = ("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS")
# What slows the clocks down and is no idleness and no limit that somebody set.
_BITS: Mapping[int, str] = {
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}
XID_SERIES = "DCGM_FI_DEV_XID_ERRORS"
SERIES = (XID_SERIES, *REASONS, *COUNTERS, *VIOLATIONS, *GAUGES)
HOST_LABELS = ("Hostname", "hostname", "node", "instance")
POD_LABELS = ("exported_pod", "pod", "pod_name")


@dataclass(frozen=True, kw_only=True, slots=True)
class Processor:
    """One graphics processor as its series name it; empty where they do not."""

    uuid: str
    number: str
    model: str
    hosts: frozenset[str]
    pods: frozenset[str]

    @property
    def host(self) -> str:
        """The host by one of its names, the shortest, which is not an address with a port."""
        return min(self.hosts, key=lambda each: (":" in each, len(each), each), default="")

    @property
    def labels(self) -> dict[str, str]:
        """Give what its numbers are told of."""
        return {k: v for k, v in (("gpu", self.number), ("host", self.host)) if v}


def processor(labels: Mapping[str, str]) -> Processor:
    """Read who a series speaks of."""
    hosts = {labels[name] for name in HOST_LABELS if labels.get(name)}
    return Processor(
        uuid=labels.get("UUID", ""),
        number=labels.get("gpu", ""),
        model=labels.get("modelName", ""),
        hosts=frozenset(hosts | {bare(each) for each in hosts}),
        pods=frozenset(labels[name] for name in POD_LABELS if labels.get(name)),
    )


def bare(address: str) -> str:
    """Take the port off an address."""
    host, colon, port = address.rpartition(":")
    return host if colon and port.isdigit() else address


def quantities(
    name: str, values: Floats, times: Floats, split: float, labels: Mapping[str, str]
) -> Iterator[Quantity]:
    """Tell what one series of one processor did: what is new with its time, levels on both sides.

    *split* is the time that a gauge is compared around.
    """
    values = _without_blanks(values)
    if name == XID_SERIES:
        yield from _xids(values, times, labels)
    elif name in REASONS:
        yield from _reasons(values, times, labels)
    elif name in COUNTERS:
        yield from _grown(COUNTERS[name], values, times, labels)
    elif name in VIOLATIONS:
        for each in _grown(VIOLATIONS[name], values, times, labels):
            reason = {**labels, "reason": VIOLATIONS[name]}
            yield Quantity(name=THROTTLED, value=1, at=each.at, labels=reason)
    elif name in GAUGES:
        yield from _levels(GAUGES[name], values, times, split, labels)


def who(labels: Mapping[str, str]) -> str:
    """Name a processor: by its number and its host, where they are known."""
    gpu = f"GPU {labels['gpu']}" if labels.get("gpu") else "a GPU"
    return f"{gpu} of {labels['host']}" if labels.get("host") else gpu


def happenings(told: Sequence[Quantity]) -> dict[str, str]:
    """Give what is news as texts, which a claim may then name: of whom, and what."""
    news = [each for each in told if each.at is not None][:MOST_HAPPENINGS]
    return {
        f"happened {place}": f"{who(each.labels)}: {each.labels.get('reason', each.name)}"
        for place, each in enumerate(news, 1)
    }


def _without_blanks(values: Floats) -> Floats:
    blank = (values >= _BLANK) | ((values >= _BLANK_32[0]) & (values <= _BLANK_32[1]))
    return np.where(blank, np.nan, values)


def _xids(values: Floats, times: Floats, labels: Mapping[str, str]) -> Iterator[Quantity]:
    seen = np.flatnonzero(np.isfinite(values))
    before: float | None = None
    for index in seen:
        code = float(values[index])
        if code > 0 and code != before:
            # What the first sample shows may have been there for weeks.
            name = XID_BEFORE if before is None else XID
            at = None if before is None else float(times[index])
            yield Quantity(name=name, value=code, at=at, labels=dict(labels))
        before = code


def _reasons(values: Floats, times: Floats, labels: Mapping[str, str]) -> Iterator[Quantity]:
    known = np.isfinite(values)
    flags, when = values[known].astype(np.int64), times[known]
    for bit, reason in _BITS.items():
        on = (flags & bit) != 0
        began = np.flatnonzero(on[1:] & ~on[:-1])
        if len(began):
            at = float(when[began[0] + 1])
            yield Quantity(name=THROTTLED, value=1, at=at, labels={**labels, "reason": reason})


def _grown(
    what: str, values: Floats, times: Floats, labels: Mapping[str, str]
) -> Iterator[Quantity]:
    known = np.isfinite(values)
    steps, when = np.diff(values[known]), times[known]
    up = np.flatnonzero(steps > 0)  # a counter that falls was set back: the driver came anew
    if len(up):
        at = float(when[up[0] + 1])
        total = float(steps[up].sum())
        yield Quantity(name=what, value=total, unit="count", at=at, labels=dict(labels))


def _levels(
    what: str, values: Floats, times: Floats, split: float, labels: Mapping[str, str]
) -> Iterator[Quantity]:
    for side, chosen in (("before", times < split), ("since", times >= split)):
        found = values[chosen & np.isfinite(values)]
        if len(found):
            level = round(float(np.median(found)), 3)
            yield Quantity(name=f"{what} {side}", value=level, labels=dict(labels))
