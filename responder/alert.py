"""Alertmanager's webhook in our own records: what arrived, and the episodes it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pydantic


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

    @property
    def name(self) -> str:
        """The alert's name, empty where the sender left it out."""
        return self.labels.get("alertname", "")

    @property
    def target(self) -> str | None:
        """The junior's target that the alert speaks of, where it names one."""
        return self.labels.get("target") or None

    @property
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
