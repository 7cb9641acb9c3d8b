"""From webhook to stored embedded report of lab incidents, and the responder's CPU in a storm."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from bench.figure import Figure, Measured
from lab.installation import RESPONDER, Installation, Plan
from lab.stack.cache import cache_root
from lab.stack.progress import Progress
from lab.stack.provide import provide

_REACH_SECONDS = 2.0
_REACH_CPU_SECONDS = 0.010
_LAB = "lab:8090"
_FAULTS = ("hang", "http_500", "crash")
_CONDITIONS, _ALERTS_EACH, _POSTS_AT_ONCE = 400, 25, 8
_CALM_SECONDS = 30.0
_ALERT_SECONDS = 120.0
_STORM_SECONDS = 900.0


def run(environ: Mapping[str, str]) -> Measured:
    """Measure both on one installation; the worse of the two is the figure."""
    return asyncio.run(_run(environ))


async def _run(environ: Mapping[str, str]) -> Measured:
    with (
        tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder,
        tempfile.TemporaryDirectory(prefix="vigie-bench-") as other,
    ):
        async with _installed(Path(folder), environ) as (place, session):
            reports = [await _reported(place, session, fault) for fault in _FAULTS]
        async with _installed(Path(other), environ, has_lab=False) as (place, session):
            cpu_seconds = await _storm(place, session)
    seconds = statistics.median(reports)
    print(f"webhook to stored report, median of {len(reports)}: {seconds:.2f} s")
    print(f"CPU per alert in the storm: {1000 * cpu_seconds:.2f} ms")
    worse = max(seconds / _REACH_SECONDS, cpu_seconds / _REACH_CPU_SECONDS)
    return Measured(ratio=worse, reach=1.0, bound="at most")


@asynccontextmanager
async def _installed(
    folder: Path, environ: Mapping[str, str], *, has_lab: bool = True
) -> AsyncIterator[tuple[Installation, aiohttp.ClientSession]]:
    """Set everything up; without the lab the responder has no sources, and works by itself."""
    progress = Progress(sys.stderr)
    found = provide(flavour="any", root=cache_root(environ), environ=environ, progress=progress)
    programs = {name: program.path for name, program in found.items()}
    plan = Plan(
        folder=folder,
        programs=programs,
        environ=environ,
        lab=has_lab,
        edit_responder=None if has_lab else _without_sources,
    )
    async with aiohttp.ClientSession() as session, Installation(plan) as place:
        await asyncio.sleep(
            _CALM_SECONDS if has_lab else 1.0
        )  # what is compared with must have been seen
        yield place, session


def _without_sources(settings: dict[str, Any]) -> None:
    """Leave the responder its own work alone: the queries' answers would be the sources' figure."""
    settings["sources"] = []


async def _reported(place: Installation, session: aiohttp.ClientSession, fault: str) -> float:
    """Set a fault; give the seconds from the critical post about it to its stored report."""
    known = {each["id"] for each in await _incidents(place, session)}
    url = f"{place.url('lab:8090')}/faults/{fault}"
    async with session.put(url) as response:
        response.raise_for_status()
    try:
        async with asyncio.timeout(_ALERT_SECONDS):
            incident_id = await _critical(place, session, known)
    finally:
        async with session.delete(url) as response:
            response.raise_for_status()
    async with session.get(f"{place.url(RESPONDER)}/api/v1/incidents/{incident_id}") as response:
        history = (await response.json())["history"]
    at = {each["event"]: each["at"] for each in reversed(history)}
    print(f"{fault}: reported {at['reported'] - at['opened']:.2f} s after it was taken in")
    return float(at["reported"] - at["opened"])


async def _critical(place: Installation, session: aiohttp.ClientSession, known: set[str]) -> str:
    while True:
        for each in await _incidents(place, session):
            is_new = each["id"] not in known and each["severity"] == "critical"
            if is_new and each["state"] == "reported":
                return str(each["id"])
        await asyncio.sleep(0.2)


async def _incidents(place: Installation, session: aiohttp.ClientSession) -> Sequence[Any]:
    async with session.get(f"{place.url(RESPONDER)}/api/v1/incidents") as response:
        found: Sequence[Any] = (await response.json())["incidents"]
        return found


async def _storm(place: Installation, session: aiohttp.ClientSession) -> float:
    """Post many alerts of few conditions, wait for every report; give CPU seconds per alert."""
    before, began = _cpu_seconds(place), time.monotonic()
    numbers = iter(range(_CONDITIONS))

    async def post() -> None:
        for number in numbers:
            await _post(place, session, number)

    await asyncio.gather(*(post() for _ in range(_POSTS_AT_ONCE)))
    taken_seconds = time.monotonic() - began
    async with asyncio.timeout(_STORM_SECONDS):
        while True:
            await asyncio.sleep(0.5)
            if not await _pending(place, session):
                break
    count = _CONDITIONS * _ALERTS_EACH
    cpu_seconds = _cpu_seconds(place) - before
    print(
        f"storm: {count} alerts of {_CONDITIONS} conditions taken in within {taken_seconds:.1f} s,"
        f" all reported after {time.monotonic() - began:.1f} s, {cpu_seconds:.1f} s of CPU"
    )
    return cpu_seconds / count


async def _post(place: Installation, session: aiohttp.ClientSession, number: int) -> None:
    url = f"{place.url(RESPONDER)}/webhook/alertmanager"
    while True:
        async with session.post(url, json=_body(number)) as response:
            if response.status == 200:
                return
        await asyncio.sleep(1)  # as Alertmanager would: it was refused for want of room


def _body(number: int) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    alerts = [
        {
            "status": "firing",
            "labels": {
                "alertname": f"Storm{each % 5}",
                "severity": "critical" if number % 10 == 0 else "warning",
                "target": f"target-{number}",
                "replica": str(each),
            },
            "annotations": {"summary": "one of many"},
            "startsAt": now,
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": f"{number:08x}{each:08x}",
        }
        for each in range(_ALERTS_EACH)
    ]
    return {"version": "4", "groupKey": f"{{}}:{number}", "status": "firing", "alerts": alerts}


async def _pending(place: Installation, session: aiohttp.ClientSession) -> float:
    async with session.get(f"{place.url(RESPONDER)}/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("vigie_responder_work_pending")
    )


def _cpu_seconds(place: Installation) -> float:
    """Give the user and system time that the responder has used."""
    stat = Path(f"/proc/{place.responder.pid}/stat").read_text(encoding="ascii")
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


FIGURE = Figure(
    name="report",
    text="from webhook to stored embedded report (2 s), CPU per alert in a storm (10 ms)",
    run=run,
)
