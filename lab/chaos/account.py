"""What the product says of itself, read over its HTTP API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Get = Callable[[str], Awaitable[Any]]

_LISTED = 1000
_AT_ONCE = 4
SETTLED = frozenset({"reported", "closed"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Every incident with its episodes, history, deliveries and report, by id."""

    incidents: Mapping[str, Mapping[str, Any]]

    def episodes(self) -> Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]]:
        """Give each fingerprint's episodes, each with the id of its incident."""
        found: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        for identity, incident in self.incidents.items():
            for episode in incident["episodes"]:
                fingerprint = episode["alert"]["fingerprint"]
                found.setdefault(fingerprint, []).append((identity, episode))
        return found

    def end_of(self, identity: str) -> str:
        """Say in what an incident ends: report, occurrence, merged, closed; empty when in none."""
        incident = self.incidents.get(identity)
        if incident is None:
            return ""
        if incident["report"] is not None:
            return "report"
        for key, name in (("occurrence_of", "occurrence"), ("merged_into", "merged")):
            other = incident.get(key)
            if other and other != identity and self.end_of(other):
                return name
        has_reason = bool(incident["reason"]) and _told_closed(incident)
        return "closed" if incident["state"] == "closed" and has_reason else ""


def _told_closed(incident: Mapping[str, Any]) -> bool:
    return any(entry["event"] == "closed" and entry["text"] for entry in incident["history"])


async def lines(get: Get) -> Sequence[Mapping[str, Any]]:
    """List the incidents, newest first; raises ValueError when there are more than it lists."""
    found: Sequence[Mapping[str, Any]] = (await get(f"/api/v1/incidents?limit={_LISTED}"))[
        "incidents"
    ]
    if len(found) >= _LISTED:
        raise ValueError(f"the list of incidents: {_LISTED} or more; run a shorter scene")
    return found


async def read(get: Get) -> Account:
    """Read all of it."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(identity: str) -> Mapping[str, Any]:
        async with turn:
            found: Mapping[str, Any] = await get(f"/api/v1/incidents/{identity}")
            return found

    files = await asyncio.gather(*(one(line["id"]) for line in await lines(get)))
    return Account(incidents={file["id"]: file for file in files})


def unsettled(listed: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Name the incidents that are not at their end, or whose alerts are not, and why."""
    return [
        f"{line['id']} {line['state']}" + ("" if line["resolved_at"] else ", still firing")
        for line in listed
        if line["state"] not in SETTLED or line["resolved_at"] is None
    ]


def undelivered(account: Account) -> Sequence[str]:
    """Name the messages that wait for their delivery."""
    return [
        f"{identity} {each['event']} on {each['channel']}: {each['problem']}"
        for identity, incident in account.incidents.items()
        for each in incident["deliveries"]
        if each["status"] == "pending"
    ]
