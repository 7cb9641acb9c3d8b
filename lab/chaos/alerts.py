"""Alerts as Prometheus sends them: their start kept, an end ahead, again while they fire."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

RESEND_SECONDS = 2.0
_AHEAD_RESENDS = 20
_RESOLVED_KEPT_SECONDS = 20.0
_BATCH = 64
_POST_SECONDS = 10.0

Labels = Mapping[str, str]
Identity = tuple[tuple[str, str], ...]


def rfc3339(at: float) -> str:
    """Write seconds since the epoch as Prometheus does, with milliseconds."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(text: str) -> float:
    """Read an RFC 3339 time of Alertmanager, whose fractions may have nine digits."""
    return datetime.fromisoformat(text).timestamp()


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """Something that is wrong with one target, and the alerts that speak of it."""

    target: str
    severity: str = "warning"
    alerts: int = 1
    name: str = "LabCondition"

    def labels(self) -> Iterable[Labels]:
        """Give the labels of each alert."""
        for number in range(self.alerts):
            yield {
                "alertname": f"{self.name}{number % 3}",
                "target": self.target,
                "severity": self.severity,
                "instance": f"{self.target}-{number}",
            }


@dataclass(kw_only=True, slots=True)
class _Active:
    labels: Labels
    starts_at: float
    ended_at: float | None = None
    open_end: bool = False

    def end(self, now: float) -> None:
        # Alertmanager refuses an end before the start.
        self.ended_at = max(round(now, 3), self.starts_at + 0.001)

    def data(self, now: float) -> dict[str, Any]:
        ahead = now + _AHEAD_RESENDS * RESEND_SECONDS
        data = {
            "labels": dict(self.labels),
            "annotations": {"summary": "Raised by the lab.", "description": "value 1"},
            "startsAt": rfc3339(self.starts_at),
            "endsAt": rfc3339(ahead if self.ended_at is None else self.ended_at),
            "generatorURL": "http://prometheus.invalid/graph",
        }
        if self.open_end and self.ended_at is None:
            del data["endsAt"]
        return data


@dataclass(kw_only=True, slots=True)
class Sender:
    """Sends to every Alertmanager what fires, again and again, and what has ended for a while.

    `skew_seconds` is what its clock is ahead of ours. `sent` counts the firings begun.
    """

    session: aiohttp.ClientSession
    urls: Callable[[], Sequence[str]]
    skew_seconds: float = 0.0
    sent: int = 0
    _active: dict[Identity, _Active] = field(default_factory=dict)

    def now(self) -> float:
        """Tell the time by the sender's clock."""
        return time.time() + self.skew_seconds

    async def fire(self, condition: Condition, *, open_end: bool = False) -> None:
        """Begin all alerts of a condition and send them at once.

        With *open_end* Alertmanager sets the end that is ahead, by its own clock.
        """
        begun = []
        for labels in condition.labels():
            alert = _Active(labels=labels, starts_at=round(self.now(), 3), open_end=open_end)
            self._active[_identity(labels)] = alert
            begun.append(alert)
        self.sent += len(begun)
        await self._post(begun)

    async def resolve(self, condition: Condition) -> None:
        """End all alerts of a condition and say so at once."""
        ended = []
        for labels in condition.labels():
            alert = self._active.get(_identity(labels))
            if alert is not None and alert.ended_at is None:
                alert.end(self.now())
                ended.append(alert)
        await self._post(ended)

    async def resolve_all(self) -> None:
        """End whatever fires."""
        ended = [each for each in self._active.values() if each.ended_at is None]
        for alert in ended:
            alert.end(self.now())
        await self._post(ended)

    async def run(self) -> None:
        """Send again, for ever."""
        while True:
            await asyncio.sleep(RESEND_SECONDS)
            self._forget()
            await self._post(list(self._active.values()))

    def _forget(self) -> None:
        oldest = self.now() - _RESOLVED_KEPT_SECONDS
        for identity, alert in list(self._active.items()):
            if alert.ended_at is not None and alert.ended_at < oldest:
                del self._active[identity]

    async def _post(self, alerts: Sequence[_Active]) -> None:
        now = self.now()
        data = [each.data(now) for each in alerts]
        batches = [data[start : start + _BATCH] for start in range(0, len(data), _BATCH)]
        for url in self.urls():
            for batch in batches:
                await self._send(url, batch)

    async def _send(self, url: str, batch: Sequence[Mapping[str, Any]]) -> None:
        """Send once: what is not taken is sent again with the next round."""
        timeout = aiohttp.ClientTimeout(total=_POST_SECONDS)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self.session.post(
                f"{url}/api/v2/alerts", json=batch, timeout=timeout
            ) as answer:
                await answer.read()


def _identity(labels: Labels) -> Identity:
    return tuple(sorted(labels.items()))
