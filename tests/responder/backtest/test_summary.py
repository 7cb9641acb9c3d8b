"""What a backtest leaves: rows and files, whatever alerts are named."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from responder.absence import Span
from responder.backtest import summary
from responder.backtest.past import incidents
from responder.backtest.trial import Trial
from responder.incident import Policy
from tests.responder.investigation.scene import Scene


async def trial(name: str = "TargetHung", target: str = "engine") -> Trial:
    """Make a trial of an alert with this name on this target."""
    labels = {"alertname": name, "target": target, "severity": "critical"}
    (past,) = incidents([Span(labels=labels, starts_at=1.7e9, ends_at=1.7e9 + 60)], Policy())
    report, _, _ = await Scene().report("TargetHung", "engine")
    return Trial(past=past, report=report, seconds=1.5)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\nb\0c", "x" * 4000, "é💥", ""])
def test_a_file_is_in_its_folder(tmp_path: Path, name: str) -> None:
    """No name of an alert or a target leads elsewhere, or to no file."""
    path = summary.save(asyncio.run(trial(name, name or "t")), tmp_path / ".")
    assert path.resolve().parent == tmp_path.resolve()
    assert {each.suffix for each in tmp_path.iterdir()} == {".txt", ".json"}
    assert json.loads(path.with_suffix(".json").read_text())["headline"]


async def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A second report of the same name is an error, and the first stays."""
    path = summary.save(await trial(), tmp_path)
    before = path.read_text()
    with pytest.raises(FileExistsError):
        summary.save(await trial(), tmp_path)
    assert path.read_text() == before


async def test_json_is_the_same_whenever_it_is_made() -> None:
    """What differs from run to run, the seconds, is in the table alone."""
    one = await trial()
    other = Trial(past=one.past, report=one.report, seconds=9.0)
    assert summary.as_json([one]) == summary.as_json([other])
    assert summary.table([one]).row_count == 1
