"""What no rule catches is found by a round, comes back as an incident, and ends as one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from responder.patrol.concern import ALERTNAME
from tests.e2e.watched import Runs, Watched, eventually

USUAL_SECONDS, SLOW_SECONDS = 0.2, 0.4
# Two scrapes a second, four in a piece; the burn is found in the half minute before it is the past.
ROUNDS = {"interval": "1s", "window": "12s", "compare_with": ["40s"]}
PAST_SCRAPES = 110


async def test_a_slow_burn_comes_back_as_an_ordinary_incident(
    programs: Mapping[str, Path], tmp_path: Path
) -> None:
    """Needs the stack: raised once and reported once, it is resolved when it is over."""
    async with Watched(tmp_path, programs, factor=30.0, patrol=ROUNDS) as watched:
        usual, slow = (Runs(seconds=USUAL_SECONDS) for _ in range(2))
        watched.conditions.runs = {"steady": usual, "chat": slow}

        async def has_a_past() -> bool:
            return min(usual.count, slow.count) >= PAST_SCRAPES

        await eventually(has_a_past, "a past")
        slow.seconds = SLOW_SECONDS
        (episode,) = await eventually(lambda: watched.about("chat"), "the incident")
        assert await watched.firing() <= {""}  # no rule but the watchdog's
        labels = episode["alert"]["labels"]
        assert labels["alertname"] == ALERTNAME
        assert labels["look"] == "latency"
        assert not episode["seen_late"]

        async def reported() -> bool:
            return bool((await watched.read(f"/api/v1/incidents/{episode['incident']}"))["report"])

        await eventually(reported, "its report")
        slow.seconds = USUAL_SECONDS

        async def resolved() -> bool:
            (only,) = await watched.about("chat")
            return only["resolved_at"] is not None

        await eventually(resolved, "its end")
        assert await watched.about("steady") == []
        told = (await watched.read("/api/v1/patrol"))["rounds"]
        assert [len(each["raised"]) for each in told if each["raised"]] == [1]
        assert [len(each["over"]) for each in told if each["over"]] == [1]
        assert "over: time per run of chat is" in await watched.text("/patrol")
