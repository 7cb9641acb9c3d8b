"""Past alerts of a lab that had several faults, investigated from Prometheus as it was left."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from rich.console import Console

from lab.demo.run import Narrator, Scene
from lab.demo.watch import TIMEOUT
from lab.installation import RESPONDER, ROOT, Installation, Plan
from lab.stack.runner import PROMETHEUS
from lab.truth import load

FAULTS = {"crash": "scorer", "slow_tokens": "chat", "http_500": "embeddings"}


async def backtest(place: Installation, *flags: str) -> tuple[int, str, str]:
    """Run the command as a user would; returns its exit code and what it printed."""
    return await command(place, "backtest", "--since", "1h", "--look-after", "3s", *flags)


async def command(place: Installation, *arguments: str) -> tuple[int, str, str]:
    """Run a command of the responder's in the installation's folder."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "responder", *arguments),
        cwd=place.folder,
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        out, told = await process.communicate()
    return process.returncode or 0, out.decode(), told.decode()


async def lived_through(place: Installation, session: aiohttp.ClientSession) -> None:
    """Set each fault, wait for its live report, clear it and let the lab become healthy."""
    narrator = Narrator(console=Console(quiet=True))
    scene = Scene(place=place, session=session, narrator=narrator, baseline_seconds=20)
    for fault in FAULTS:
        await scene.until_healthy()
        verdict, _ = await scene.play(fault)
        assert verdict.right, verdict
        await scene.clear(fault)
        scene.baseline_seconds = 10
    await scene.until_healthy()


async def test_past_faults_are_named_as_they_were(
    programs: Mapping[str, Path], tmp_path: Path
) -> None:
    """Each fault's first incident names it, with no configuration but Prometheus's address.

    Then the same with the responder's own configuration, and the reports as files.
    """
    plan = Plan(folder=tmp_path, programs=programs, environ=os.environ)
    async with Installation(plan) as place, aiohttp.ClientSession(timeout=TIMEOUT) as session:
        await lived_through(place, session)
        bare = ("--prometheus.url", place.url(PROMETHEUS), "--json")
        code, out, told = await backtest(place, *bare)
        assert code == 0, told
        _, again, _ = await backtest(place, *bare)
        configured = ("--config.file", "responder.yml", "--to", "past")
        code, shown, told = await backtest(place, *configured)
        assert code == 0, told
        code, _, problem = await backtest(place, *configured)
        await asked_by_hand(place, session)
    assert code == 1
    assert "is there already" in problem
    rows = json.loads(out)["incidents"]
    truth = load()
    for fault, target in FAULTS.items():
        first = next(row for row in rows if row["targets"] == [target])
        known = truth[fault]
        assert (first["component"], first["kind"]) == (known.component, known.cause_kind), first
    assert _stable(json.loads(again)["incidents"], rows)
    reports = sorted((tmp_path / "past").glob("*.json"))
    assert len(reports) >= len(rows)
    assert "reports that there would have been" in shown
    for path in reports:
        report = json.loads(path.read_text())
        seen = {each["source"]: each["status"] for each in report["coverage"]}
        assert seen["exporter"] == seen["alertmanager"] == "unavailable"
        assert path.with_suffix(".txt").read_text().strip()


async def asked_by_hand(place: Installation, session: aiohttp.ClientSession) -> None:
    """Investigate a known incident once more: the steps are told, and nothing is stored."""
    url = f"{place.url(RESPONDER)}/api/v1/incidents"
    async with session.get(url) as response:
        before = await response.json()
    oldest = before["incidents"][-1]
    flags = ("--url", place.url(RESPONDER), "--config.file", "responder.yml")
    code, shown, told = await command(place, "investigate", oldest["id"], *flags)
    assert code == 0, told
    assert "gather prometheus:" in told
    assert "suspect 1:" in told
    assert f"{oldest['id']}-r1: analyst embedded" in shown
    async with session.get(f"{url}/{oldest['id']}") as response:
        after = await response.json()
    assert after["report_id"] == oldest["report_id"]


def _stable(again: list[dict[str, Any]], before: list[dict[str, Any]]) -> bool:
    """Tell whether a second run found the same in what was over at the first."""
    return again[: len(before)] == before


@pytest.mark.parametrize("flag", ["--since", "--look-after"])
async def test_a_wrong_duration_is_an_error(flag: str) -> None:
    """It names the flag and how a duration is written, and nothing is asked."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "responder", "backtest", flag, "soon"),
        *("--prometheus.url", "http://127.0.0.1:1"),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    assert process.returncode == 1
    assert told.decode().startswith(f"{flag}: 'soon' is not a duration; write it like 30s")
