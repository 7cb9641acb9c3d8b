"""Plays a compound: its steps in their order, then the reports of all its incidents."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lab.compounds import Announcement, Compound, Rounds, Step, TrueCause
from lab.demo.run import POLL_SECONDS, REPORT_SECONDS, Scene
from lab.demo.verdict import Truth, Verdict, judge
from lab.demo.watch import fetch
from lab.installation import RESPONDER
from lab.stack.errors import StackError


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a compound's reports named, and the incidents that they are of."""

    verdicts: tuple[Verdict, ...]
    incidents: tuple[Mapping[str, Any] | None, ...]


@contextlib.asynccontextmanager
async def played(scene: Scene, compound: Compound) -> AsyncIterator[Told]:
    """Take the steps, wait for the reports, and judge them; at the end put everything right."""
    began_at = time.time()
    scene.narrator.say("lab", f"compound {compound.compound}: {compound.summary}")
    try:
        for step in compound.steps:
            await _tell_for(scene, step.after_seconds)
            await _take(scene, step)
        incidents = await _reported(scene, compound, began_at)
        found = zip(compound.causes, incidents, strict=True)
        verdicts = tuple(_judged(compound, *each, began_at) for each in found)
        yield Told(verdicts=verdicts, incidents=tuple(incidents))
    finally:
        for step in reversed(compound.steps):
            await _take_back(scene, step)


async def _tell_for(scene: Scene, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await scene.tell()
        await asyncio.sleep(POLL_SECONDS)


async def _take(scene: Scene, step: Step) -> None:
    if step.fault is not None:
        await scene.place.platform.set_fault(step.fault)
        scene.narrator.say("lab", f"fault {step.fault} is set")
    elif step.rounds is not None:
        await _make_rounds(scene, step.rounds)
        scene.narrator.say("lab", f"the responder's rounds: every {step.rounds.interval}")
    elif step.announce is not None:
        await _announce(scene, step.announce)
        scene.narrator.say("lab", f"announced, of {step.announce.service}: {step.announce.title}")
    else:
        _signal(scene, signal.SIGSTOP)
        scene.narrator.say("lab", f"{step.freeze} is frozen")


async def _take_back(scene: Scene, step: Step) -> None:
    if step.fault is not None:
        await scene.clear(step.fault)
    elif step.rounds is not None:
        await _make_rounds(scene, None)
    elif step.freeze is not None:
        _signal(scene, signal.SIGCONT)
        scene.narrator.say("lab", f"{step.freeze} goes on")


async def _make_rounds(scene: Scene, rounds: Rounds | None) -> None:
    """Have the responder make its rounds so, or as it did; it reads its configuration again."""
    path = scene.place.folder / "responder.yml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings.pop("patrol", None)
    if rounds is not None:
        settings["patrol"] = rounds.model_dump(mode="json")
    path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    async with scene.session.post(f"{scene.place.url(RESPONDER)}/-/reload") as response:
        if response.status != 200:
            problem = f"a reload was answered with {response.status}"
            raise StackError("responder", problem, f"see the logs in {scene.place.folder}")


def _signal(scene: Scene, number: signal.Signals) -> None:
    if (pid := scene.place.exporter.pid) is not None:
        os.kill(pid, number)


async def _announce(scene: Scene, announcement: Announcement) -> None:
    change = announcement.model_dump(exclude_none=True) | {"time": round(time.time(), 3)}
    url = f"{scene.place.url(RESPONDER)}/webhook/change"
    async with scene.session.post(url, json=change) as response:
        if response.status != 200:
            problem = f"a change was answered with {response.status}"
            raise StackError("responder", problem, f"see the logs in {scene.place.folder}")


async def _reported(
    scene: Scene, compound: Compound, since: float
) -> list[Mapping[str, Any] | None]:
    """Find each cause's first incident with its report; None for one that has not come."""
    deadline = time.monotonic() + REPORT_SECONDS
    found: list[Mapping[str, Any] | None] = [None] * len(compound.causes)
    while None in found and time.monotonic() < deadline:
        await scene.tell()
        found = [await _incident(scene, cause, since) for cause in compound.causes]
        await asyncio.sleep(POLL_SECONDS)
    await scene.tell()
    return found


async def _incident(scene: Scene, cause: TrueCause, since: float) -> Mapping[str, Any] | None:
    listed = await fetch(scene.session, f"{scene.place.url(RESPONDER)}/api/v1/incidents")
    for each in reversed((listed or {}).get("incidents", [])):
        named = each["targets"] if cause.target else each["alertnames"]
        wanted = cause.target or cause.alert
        if each["opened_at"] >= since and wanted in named and each["report_id"]:
            url = f"{scene.place.url(RESPONDER)}/api/v1/incidents/{each['id']}"
            incident: Mapping[str, Any] | None = await fetch(scene.session, url)
            return incident
    return None


def _judged(
    compound: Compound, cause: TrueCause, incident: Mapping[str, Any] | None, since: float
) -> Verdict:
    truth = Truth(
        fault=compound.compound,
        component=cause.component,
        cause_kind=cause.cause_kind,
        onset_at=since,
        undecided=compound.undecided,
    )
    return judge(truth, incident and incident["report"], time.time() - since)
