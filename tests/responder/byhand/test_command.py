"""`investigate` from its arguments to the report, with sources that do not answer."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from responder.byhand.command import parser, run
from responder.byhand.subject import SubjectError
from responder.outlet import Outlet


async def asked(folder: Path, *flags: str) -> tuple[str, list[str]]:
    """Run it with a configuration whose Prometheus is down; gives what it printed and told."""
    config = folder / "responder.yml"
    config.write_text("sources: [{kind: prometheus, url: 'http://127.0.0.1:1'}]\n")
    console, told = Console(file=StringIO(), width=200), list[str]()
    namespace = parser().parse_args([*flags, "--config.file", str(config)])
    assert await run(namespace, {}, Outlet(console=console, tell=told.append)) == 0
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue(), told


async def test_each_step_is_told_and_the_report_comes(tmp_path: Path) -> None:
    """With nothing to see, it says so in every step, and the report stands on the alert alone."""
    printed, told = await asked(tmp_path, "--alert", "Down", "--target", "chat")
    steps = "\n".join(told)
    assert "Down chat, since" in steps
    assert "gather prometheus: 1 unavailable" in steps
    assert "gather exporter: 1 unavailable" in steps
    assert "onset" in steps
    assert "suspect 1: chat" in steps
    assert "analyst embedded" in steps
    assert "neither Prometheus nor the exporter answered" in printed


async def test_json_is_the_report(tmp_path: Path) -> None:
    """What is printed can be read by a program."""
    at = "2026-01-31T08:30:00Z"
    printed, _ = await asked(tmp_path, "--alert", "Down", "--at", at, "--json")
    report = json.loads(printed)
    assert report["timeline"][-1]["at"] == 1769848200.0


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ((), "name an incident, or an alert"),
        (("i1", "--alert", "Down"), "name an incident, or an alert"),
        (("--alert", "Down", "--at", "soon"), "--at: 'soon' is no time; write it like"),
        (("--alert", "Down", "--label", "x"), "--label: 'x' is not name=value"),
    ],
)
async def test_what_cannot_be_meant_is_said(
    tmp_path: Path, flags: tuple[str, ...], problem: str
) -> None:
    """Each error names the flag and how it is written."""
    with pytest.raises(SubjectError, match=problem):
        await asked(tmp_path, *flags)
