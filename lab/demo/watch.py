"""What happens while a fault is on, as lines to print: each watch tells only what is new."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One thing that happened: who says so, and what."""

    who: str
    text: str


class Watch(Protocol):
    """Asks one program and yields what is new since it was last asked."""

    def lines(self, session: aiohttp.ClientSession) -> AsyncIterator[Line]:
        """Ask once."""
        ...


async def fetch(session: aiohttp.ClientSession, url: str) -> Any:
    """Read JSON from *url*; None where nothing answers in time."""
    try:
        async with session.get(url, timeout=TIMEOUT) as response:
            return await response.json() if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


@dataclass(kw_only=True, slots=True)
class JuniorWatch:
    """The exporter's targets: a line whenever one changes its state."""

    exporter: str
    seen: dict[str, str] = field(default_factory=dict)

    async def lines(self, session: aiohttp.ClientSession) -> AsyncIterator[Line]:
        """Ask the exporter for the state of its targets."""
        answer = await fetch(session, f"{self.exporter}/api/v1/targets")
        for target in (answer or {}).get("targets", []):
            state = target["state"]
            before = self.seen.get(target["name"], "ok")
            self.seen[target["name"]] = state
            if state != before:
                why = f" ({target['reason']})" if target.get("reason") else ""
                yield Line(
                    who="exporter", text=f"target {target['name']}: {before} -> {state}{why}"
                )


@dataclass(kw_only=True, slots=True)
class RuleWatch:
    """Prometheus's alerts: a line when one becomes pending, fires, or goes."""

    prometheus: str
    seen: dict[tuple[str, str], str] = field(default_factory=dict)

    async def lines(self, session: aiohttp.ClientSession) -> AsyncIterator[Line]:
        """Ask Prometheus for its alerts."""
        answer = await fetch(session, f"{self.prometheus}/api/v1/alerts")
        if answer is None:
            return
        now = {_alert_key(alert): alert["state"] for alert in answer["data"]["alerts"]}
        for key, state in now.items():
            if self.seen.get(key) != state and key[0] != "VigieWatchdog":
                yield Line(who="prometheus", text=f"alert {_alert_text(key)}: {state}")
        for key in self.seen.keys() - now.keys():
            yield Line(who="prometheus", text=f"alert {_alert_text(key)}: resolved")
        self.seen = now


@dataclass(kw_only=True, slots=True)
class IncidentWatch:
    """The responder's incidents: a line for each step that one takes."""

    responder: str
    seen: dict[str, tuple[str, ...]] = field(default_factory=dict)

    async def lines(self, session: aiohttp.ClientSession) -> AsyncIterator[Line]:
        """Ask the responder for its incidents."""
        answer = await fetch(session, f"{self.responder}/api/v1/incidents")
        for incident in (answer or {}).get("incidents", []):
            steps = _steps(incident)
            before = self.seen.get(incident["id"], ())
            self.seen[incident["id"]] = steps
            for step in steps[len(before) :]:
                yield Line(who="responder", text=f"incident {incident['id'][:8]}: {step}")


def _alert_key(alert: Mapping[str, Any]) -> tuple[str, str]:
    labels = alert["labels"]
    return labels["alertname"], labels.get("target") or labels.get("job") or ""


def _alert_text(key: tuple[str, str]) -> str:
    return f"{key[0]} ({key[1]})" if key[1] else key[0]


def _steps(incident: Mapping[str, Any]) -> tuple[str, ...]:
    alerts = ", ".join(incident.get("alertnames", ()))
    stages: Sequence[str] = incident.get("stages_done", ())
    steps = [f"opened for {alerts}", *(f"{stage} done" for stage in stages)]
    if incident.get("delivered"):
        steps.append("report delivered")
    return tuple(steps)
