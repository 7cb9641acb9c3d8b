"""The soak in small: 500 endpoints for forty seconds, each kind of fault among them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.soak.plan import Plan
from lab.soak.run import Setting, soak
from lab.soak.verdict import judge

pytestmark = pytest.mark.chaos

SMALL = Plan(targets=500, interval_seconds=5.0, timeout_seconds=2.0)
SECONDS = 40.0


async def test_an_exporter_keeps_its_schedule_and_names_every_fault(tmp_path: Path) -> None:
    """No drift, no run missing, flat memory, and every fault's reason right in each run."""
    setting = Setting(folder=tmp_path, environ=os.environ, seconds=SECONDS, scrape_seconds=10.0)
    verdict = judge(await soak(SMALL, setting, lambda _line: None))
    assert verdict.right, [*verdict.faults, *verdict.figures.items()]
    assert int(verdict.figures["different reasons"]) == 22
