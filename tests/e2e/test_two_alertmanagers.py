"""Two Alertmanagers of one Prometheus deliver to one responder at once."""

from __future__ import annotations

import pytest

from lab.chaos.ground import Ground
from lab.chaos.stories import two_alertmanagers

CONDITIONS = 4


@pytest.mark.parametrize("clustered", [False, True], ids=["apart", "clustered"])
async def test_what_two_deliver_is_one(ground: Ground, *, clustered: bool) -> None:
    """One episode for each firing, one incident and one report for each condition."""
    async with ground.scene("twins", alertmanagers=2, clustered=clustered) as scene:
        story = await two_alertmanagers(scene, CONDITIONS)
        statuses = dict(scene.ledger.statuses)
    assert story.verdict.right, story.verdict.faults
    assert set(statuses) == {200}
    for number in range(CONDITIONS):
        (incident,) = story.about(f"twice-{number}")
        assert incident["report"] is not None
        assert len(incident["episodes"]) == 2
        assert all(episode["resolved_at"] is not None for episode in incident["episodes"])
