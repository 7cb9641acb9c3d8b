"""What is investigated: an incident that a responder knows, or an alert that is only described."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from pydantic import ValidationError

from responder.absence import fingerprint
from responder.alert import Alert, AlertStatus, Change, Episode
from responder.incident import Incident, IncidentState

_CALL_SECONDS = 30.0
_LARGEST_BYTES = 64 << 20


class SubjectError(Exception):
    """There is nothing that could be investigated: `where: problem; remedy`."""


def described(labels: Mapping[str, str], at: float) -> Incident:
    """Make an incident of one alert with these labels, firing since then."""
    if not labels.get("alertname"):
        raise SubjectError("--alert: no name; give the alert's name, as its rule has it")
    alert = Alert(
        fingerprint=fingerprint(labels),
        status=AlertStatus.FIRING,
        labels=dict(labels),
        annotations={},
        starts_at=at,
        ends_at=None,
    )
    name = hashlib.sha256(f"{alert.fingerprint} {at:.3f}".encode()).hexdigest()[:16]
    return Incident(
        id=name,
        opened_at=at,
        state=IncidentState.INVESTIGATING,
        reason="asked for by hand",
        episodes=(Episode(id=f"{name}-0", alert=alert, first_seen_at=at),),
    )


def labels_of(pairs: Sequence[str]) -> dict[str, str]:
    """Read `name=value` pairs; raises SubjectError."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise SubjectError(f"--label: {pair!r} is not name=value; write it like team=search")
        found[name.strip()] = value
    return found


async def known(
    url: str, incident_id: str, session: aiohttp.ClientSession, headers: Mapping[str, str]
) -> tuple[Incident, tuple[Change, ...]]:
    """Ask a responder for one of its incidents, and for the changes; raises SubjectError."""
    base = url.rstrip("/")
    told = await _asked(f"{base}/api/v1/incidents/{incident_id}", session, headers)
    changes = await _asked(f"{base}/api/v1/changes", session, headers)
    try:
        episodes = tuple(
            Episode.model_validate({k: v for k, v in each.items() if k != "resent"})
            for each in told["episodes"]
        )
        incident = Incident(
            id=str(told["id"]),
            opened_at=float(told["opened_at"]),
            state=IncidentState.INVESTIGATING,
            reason="asked for by hand",
            episodes=episodes,
        )
        return incident, tuple(Change(**each) for each in changes["changes"])
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise SubjectError(
            f"{base}: the answer is not a responder's ({type(error).__name__}); check --url"
        ) from None


async def _asked(url: str, session: aiohttp.ClientSession, headers: Mapping[str, str]) -> Any:
    try:
        async with (
            asyncio.timeout(_CALL_SECONDS),
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            if response.status == 404:
                raise SubjectError(f"{url}: no such incident; GET /api/v1/incidents lists them")
            if response.status != 200:
                raise SubjectError(f"{url}: answered {response.status}; check address and password")
            if (response.content_length or 0) > _LARGEST_BYTES:
                raise SubjectError(f"{url}: the answer is too large; investigate by --alert")
            return await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise SubjectError(
            f"{url}: {type(error).__name__}; start the responder, or name an alert with --alert"
        ) from None
