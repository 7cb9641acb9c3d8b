"""Alertmanager's webhook in our own records: what arrived, and the episodes it speaks of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import pydantic

_MOST_INDEXED_BYTES = 500
_KEPT_BYTES = 400


def indexed(text: str) -> str:
    """Give a text in the form that an index takes: itself, or how it begins and its digest.

    PostgreSQL refuses a row whose indexed texts pass 2,700 bytes; 500 leave room for several.
    """
    # No character has more than four bytes: most texts need not be encoded to be counted.
    if len(text) * 4 <= _MOST_INDEXED_BYTES:
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= _MOST_INDEXED_BYTES:
        return text
    begin = encoded[:_KEPT_BYTES].decode("utf-8", "ignore")
    return f"{begin}#{hashlib.sha256(encoded).hexdigest()}"


class AlertStatus(StrEnum):
    """The two states an alert is delivered in."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(pydantic.BaseModel):
    """One alert of a delivery; times are seconds since the epoch, `ends_at` None while it fires."""

    model_config = pydantic.ConfigDict(frozen=True)

    fingerprint: str
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: float
    ends_at: float | None
    generator_url: str = ""

    @cached_property
    def name(self) -> str:
        """The alert's name as `indexed`, empty where the sender left it out."""
        return indexed(self.labels.get("alertname", ""))

    @cached_property
    def target(self) -> str | None:
        """The junior's target that the alert speaks of, as `indexed`, where it names one."""
        return indexed(self.labels.get("target", "")) or None

    @cached_property
    def severity(self) -> str:
        """The severity label, `warning` where there is none."""
        return self.labels.get("severity") or "warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One post of Alertmanager, read; `truncated` counts the alerts that it cut."""

    group_key: str
    receiver: str
    external_url: str
    truncated: int
    alerts: tuple[Alert, ...]


class Episode(pydantic.BaseModel):
    """A fingerprint from firing to resolved, as stored."""

    model_config = pydantic.ConfigDict(frozen=True)

    id: str
    alert: Alert
    first_seen_at: float
    resolved_at: float | None = None
    seen_late: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One deployment, flag or configuration edit that somebody told us of."""

    id: str
    at: float
    service: str
    kind: str
    title: str
    version: str = ""
    author: str = ""
    link: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
