"""What Alertmanager and its clocks may do, and alerts that come and go: the page stays true."""

from __future__ import annotations

import pytest

from lab.chaos import stories
from lab.chaos.alerts import RESEND_SECONDS
from lab.chaos.ground import Ground
from lab.chaos.settings import Waits

AHEAD_SECONDS = 5.0


@pytest.mark.parametrize("forgets", [False, True], ids=["in-order", "killed-and-forgetful"])
async def test_a_restarted_alertmanager_changes_nothing_twice(
    ground: Ground, *, forgets: bool
) -> None:
    """What fired before its restart stays one incident, and what fires during it is one more."""
    async with ground.scene("restart") as scene:
        story = await stories.alertmanager_restarts(scene, forgets=forgets)
    assert story.verdict.right, story.verdict.faults
    (before,) = story.about("before-the-restart")
    (during,) = story.about("during-the-restart")
    assert [len(before["episodes"]), len(during["episodes"])] == [2, 1]
    assert [each["event"] for each in before["history"]].count("reported") == 1


async def test_skewed_clocks_tell_their_own_times(ground: Ground) -> None:
    """Starts in the future and an hour ago are kept as they were told, each in one incident."""
    async with ground.scene("clocks") as scene:
        story = await stories.clocks_differ(scene, AHEAD_SECONDS)
    assert story.verdict.right, story.verdict.faults
    (ahead,) = story.about("from-the-future")
    (behind,) = story.about("from-the-past")
    early = ahead["episodes"][0]["alert"]["starts_at"] - ahead["opened_at"]
    assert 0 < early <= AHEAD_SECONDS
    late = behind["opened_at"] - behind["episodes"][0]["alert"]["starts_at"]
    assert stories.HOUR_SECONDS <= late < stories.HOUR_SECONDS + 10 * RESEND_SECONDS


async def test_a_group_sent_again_changes_nothing(ground: Ground) -> None:
    """The same group posted five times over is three episodes of one incident, reported once."""
    async with ground.scene("again", waits=Waits(repeat=1.0)) as scene:
        story = await stories.sent_again(scene, 5)
    assert story.verdict.right, story.verdict.faults
    (incident,) = story.about("repeated")
    assert len(incident["episodes"]) == 3
    assert story.events("repeated").count("reported") == 1


async def test_refired_while_it_is_investigated_it_is_told_as_it_was(ground: Ground) -> None:
    """Resolved and refired under a hung model: two episodes, in order, and the newcomer told."""
    async with ground.scene("refired") as scene:
        story = await stories.refires_while_investigated(scene)
    assert story.verdict.right, story.verdict.faults
    incidents = story.about("restless")
    episodes = [each for incident in incidents for each in incident["episodes"]]
    restless = sorted(
        (each["alert"]["starts_at"], each["resolved_at"])
        for each in episodes
        if each["alert"]["labels"]["alertname"] == "Restless0"
    )
    assert len(restless) == 2
    (first_start, first_end), (second_start, second_end) = restless
    assert first_start < first_end < second_start < second_end
    names = {each["alert"]["labels"]["alertname"] for each in episodes}
    assert names == {"Restless0", "Another0"}
    reported = {name for each in incidents if each["report"] for name in each["alertnames"]}
    assert reported == names
    assert all(each["resolved_at"] is not None for each in incidents)
