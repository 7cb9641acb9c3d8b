"""What two tellings of the same alerts differ in: fingerprints, spans of firing, and gaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from responder.alert import Alert

_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_SEPARATOR = b"\xff"
_ALL_BITS = (1 << 64) - 1
_NOT_OF_THE_ALERT = frozenset({"__name__", "alertstate"})
# A missed evaluation is no end; two in a row, and what was measured is another span.
_INTERVALS_IN_A_SPAN = 2.5


def fingerprint(labels: Mapping[str, str]) -> str:
    """Give the fingerprint that Alertmanager shows: FNV-1a, 64 bits, over sorted labels.

    Source: LabelSet.Fingerprint of prometheus/common/model.
    """
    found = _FNV_OFFSET
    parts = (part for pair in sorted(labels.items()) if pair[1] for part in pair)
    for byte in b"".join(part.encode() + _SEPARATOR for part in parts):
        found = ((found ^ byte) * _FNV_PRIME) & _ALL_BITS
    return f"{found:016x}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An alert that Alertmanager lists; `entry` is what it answered, `alert` the same, read."""

    alert: Alert
    entry: Mapping[str, object]
    receivers: frozenset[str]
    is_held: bool

    @property
    def generator(self) -> str:
        """Which program raised it: the address that its link leads to."""
        return origin(self.alert.generator_url)


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """An alert of Prometheus from its first firing sample to its end, by the labels there."""

    labels: Mapping[str, str]
    starts_at: float
    ends_at: float


def origin(generator_url: str) -> str:
    """Give the part of a generator's link that is the same for all of its alerts.

    Prometheus's links lead to `/graph?...` below its own prefix; of others (vmalert, Grafana,
    rulers) the host is what their alerts share.
    """
    before, found, _ = generator_url.partition("/graph?")
    if found:
        return before
    try:
        link = urlsplit(generator_url)
    except ValueError:  # an alert may hold anything
        return ""
    return f"{link.scheme}://{link.netloc}" if link.netloc else ""


def alert_labels(series: Mapping[str, str]) -> dict[str, str]:
    """Give the alert's own labels among those of a series of ALERTS."""
    return {name: value for name, value in series.items() if name not in _NOT_OF_THE_ALERT}


def spans(
    labels: Mapping[str, str], samples: Iterable[float], interval_seconds: float
) -> Sequence[Span]:
    """Give the spans in which samples follow each other; each ends one interval after its last."""
    found: list[list[float]] = []
    for at in sorted(set(samples)):
        if found and at - found[-1][-1] <= _INTERVALS_IN_A_SPAN * interval_seconds:
            found[-1].append(at)
        else:
            found.append([at])
    return [
        Span(labels=labels, starts_at=each[0], ends_at=each[-1] + interval_seconds)
        for each in found
    ]


def may_be_same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Tell whether two label sets contradict each other nowhere."""
    return all(other.get(name, value) == value for name, value in one.items())


@dataclass(kw_only=True, slots=True)
class Watch:
    """Since when something has been so, by its key, told again at each look."""

    since: dict[str, float] = field(default_factory=dict)

    def look(self, keys: Iterable[str], at: float) -> None:
        """Keep those that are still so, and begin with those that are new."""
        self.since = {key: min(self.since.get(key, at), at) for key in keys}

    def lasting(self, at: float, seconds: float) -> frozenset[str]:
        """Give those that have been so for *seconds*."""
        return frozenset(key for key, since in self.since.items() if at - since >= seconds)
