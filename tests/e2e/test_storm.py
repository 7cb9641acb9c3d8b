"""A storm through the real Alertmanager, in small."""

from __future__ import annotations

import pytest

from lab.chaos.ground import Ground
from lab.chaos.runs import Size, storm

pytestmark = pytest.mark.chaos

SMALL = Size(alerts=1000, conditions=40, within_seconds=8.0)
_MOST_MEBIBYTES = 512


async def test_a_storm_is_stored_whole_and_investigated_once_each(ground: Ground) -> None:
    """1,000 alerts of 40 conditions: all stored, one report each, criticals never overtaken."""
    outcome = await storm(ground, SMALL, lambda _line: None)
    assert outcome.right, [*outcome.verdict.faults, *outcome.wrong]
    assert outcome.verdict.figures["acknowledged alerts"] == SMALL.alerts
    assert outcome.verdict.figures["episodes that hold them"] == SMALL.alerts
    assert outcome.verdict.figures["incidents with a report"] <= SMALL.conditions
    assert float(outcome.figures["peak memory"].removesuffix(" MiB")) < _MOST_MEBIBYTES
