"""What never reached us is found by comparison, on the real Prometheus and Alertmanager."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import aiohttp

from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from responder.absence import fingerprint
from tests.e2e.watched import Watched, eventually

# The outage is five minutes where that is asked for, else scaled with all else.
DOWN_SECONDS = float(os.environ.get("VIGIE_DOWN_SECONDS", "12"))
# For so long Alertmanager tries again to post what it began to post, whatever its group_interval.
LONGEST_POST_SECONDS = 10.0

ODD_LABELS = (
    {"alertname": "Plain"},
    {"alertname": "Order", "b": "2", "a": "1", "B": "3", "_": "4"},
    {"alertname": "Empty", "nothing": "", "something": " "},
    {"alertname": "Größe 漢字 🔥", "path": 'C:\\"x"\n'},
    {"alertname": "Name", "é": "ü"},
    {"alertname": "Long", "text": "x" * 5000},
)


async def test_our_fingerprints_are_alertmanagers(
    programs: Mapping[str, Path], tmp_path: Path
) -> None:
    """Needs the stack: each label set has the fingerprint that Alertmanager lists it under."""
    alertmanager = _alone(programs, tmp_path)
    await alertmanager.start()
    try:
        async with aiohttp.ClientSession(trust_env=False) as session:
            url = alertmanager.launch.ready_url.replace("/-/ready", "/api/v2/alerts")
            for labels in ODD_LABELS:
                async with session.post(url, json=[{"labels": labels}]) as answer:
                    # Names beyond ASCII are refused by older ones.
                    assert answer.status == 200 or not all(map(str.isascii, labels))
            async with session.get(url) as answer:
                listed = await answer.json()
    finally:
        await alertmanager.stop()
    assert len(listed) >= len(ODD_LABELS) - 1
    for each in listed:
        assert fingerprint(each["labels"]) == each["fingerprint"], each["labels"]


def _alone(programs: Mapping[str, Path], folder: Path) -> Process:
    (folder / "alone.yml").write_text("{route: {receiver: x}, receivers: [{name: x}]}\n")
    address = free_addresses(("alone",))["alone"]
    return Process(
        Launch(
            name="alertmanager",
            argv=(
                str(programs["alertmanager"]),
                "--config.file=alone.yml",
                f"--web.listen-address={address}",
                f"--storage.path={folder / 'data'}",
                "--cluster.listen-address=",
            ),
            folder=folder,
            log=folder / "alertmanager.log",
            ready_url=f"http://{address}/-/ready",
        )
    )


async def _reached(watched: Watched, target: str) -> None:
    """Let an alert come the ordinary way, so that our receiver is known."""
    watched.conditions.fires(target)
    await eventually(lambda: watched.about(target), f"{target} by the webhook")


async def _told(watched: Watched, target: str, times: int, *, fires: bool) -> bool:
    """Tell whether a target has so many episodes, of which the last one fires or is over."""
    found = await watched.about(target)
    return len(found) == times and fires is any(each["resolved_at"] is None for each in found)


async def test_what_fired_and_was_over_while_we_were_down_is_seen_late(
    programs: Mapping[str, Path], tmp_path: Path
) -> None:
    """Needs the stack: it is on the incident page, marked, with its times; others' alerts not."""
    # A group of its own, for which no post ever succeeds: what was told of is told to be over.
    alone = ("alertname", "target")
    async with Watched(tmp_path, programs, group_by=alone) as watched:
        await _reached(watched, "before")
        await watched.responder.stop()
        began_at = time.time()
        watched.conditions.fires("meanwhile")
        watched.conditions.fires("not-ours", kind="theirs")

        async def both() -> bool:
            return {"meanwhile", "not-ours"} <= await watched.firing()

        await eventually(both, "their firing")
        await asyncio.sleep(DOWN_SECONDS / 2)
        watched.conditions.clears("meanwhile")
        watched.conditions.clears("not-ours", kind="theirs")

        async def neither() -> bool:
            return not {"meanwhile", "not-ours"} & await watched.listed()

        await eventually(neither, "their end")
        ended_at = time.time()
        # A post of before their end would else reach us, so that nothing was missed.
        await asyncio.sleep(max(DOWN_SECONDS / 2, LONGEST_POST_SECONDS + 2))
        await watched.responder.start()
        (late,) = await eventually(lambda: watched.about("meanwhile"), "the gap")
        assert late["seen_late"]
        assert late["alert"]["labels"]["region"] == "north"
        assert late["alert"]["fingerprint"] == fingerprint(late["alert"]["labels"])
        assert began_at < late["alert"]["starts_at"]
        assert late["resolved_at"] < ended_at + 2
        assert late["resolved_at"] - late["alert"]["starts_at"] > DOWN_SECONDS / 4
        assert "seen late" in await watched.text(f"/incidents/{late['incident']}")
        await watched.counts("missed_and_over", 1)
        await asyncio.sleep(4)
        await watched.counts("missed_and_over", 1)
        assert await watched.about("not-ours") == []
        assert len(await watched.about("before")) == 1
        assert await watched.metric("vigie_responder_comparison_doubts_total") == 0


async def test_what_alertmanager_cut_is_fetched_back(
    programs: Mapping[str, Path], tmp_path: Path
) -> None:
    """Needs the stack: with max_alerts 1, all alerts of a group are stored, the cut ones late."""
    targets = {"one", "two", "three"}
    never = {"interval": "1h", "grace": "1h"}
    async with Watched(tmp_path, programs, max_alerts=1, comparison=never) as watched:
        for target in targets:
            watched.conditions.fires(target)

        async def all_there() -> bool:
            found = await watched.episodes()
            return {each["alert"]["labels"].get("target") for each in found} == targets

        await eventually(all_there, "the alerts that were cut")
        found = await watched.episodes()
        assert sorted(each["seen_late"] for each in found) == [False, True, True]
        await watched.counts("truncated", 2)


async def test_nothing_is_stored_twice_while_all_works(
    programs: Mapping[str, Path], tmp_path: Path
) -> None:
    """Needs the stack: what comes and goes, or lasts, has the episodes that the webhook told."""
    async with Watched(tmp_path, programs) as watched:
        await _reached(watched, "lasting")
        for times in (1, 2):
            watched.conditions.fires("restless")
            await eventually(partial(_told, watched, "restless", times, fires=True), "its firing")
            watched.conditions.clears("restless")
            await eventually(partial(_told, watched, "restless", times, fires=False), "its end")
        await asyncio.sleep(5)
        (lasting,) = await watched.about("lasting")
        assert lasting["resolved_at"] is None
        found = await watched.about("restless")
        assert not any(each["seen_late"] for each in found)
        starts = [each["alert"]["starts_at"] for each in found]
        assert len(set(starts)) == len(starts)
        for kind in ("missed", "missed_and_over", "truncated", "closed"):
            await watched.counts(kind, 0)
        assert await watched.metric("vigie_responder_comparison_doubts_total") == 0


async def test_an_end_that_was_lost_for_good_is_found(
    programs: Mapping[str, Path], tmp_path: Path
) -> None:
    """Needs the stack: an alert ends while Alertmanager is replaced, and its episode is closed.

    The one that fires on is told again, and is not.
    """
    # A Prometheus that was started scrapes after five seconds: twice the grace must outlast that.
    soon = {"interval": "1s", "grace": "10s"}
    async with Watched(tmp_path, programs, comparison=soon) as watched:
        await _reached(watched, "lasting")
        await _reached(watched, "forgotten")
        failures = await watched.metric("vigie_responder_comparison_failures_total")
        await watched.stack.alertmanager.kill()
        watched.conditions.clears("forgotten")
        await asyncio.sleep(4)
        state = watched.folder / "stack" / "data" / "alertmanager"
        for file in state.glob("*"):
            file.unlink()
        # Prometheus goes too, so that it does not tell the new one of the end.
        await watched.stack.prometheus.stop()
        await watched.stack.alertmanager.start()
        await watched.stack.prometheus.start()

        async def closed() -> bool:
            return (await watched.about("forgotten"))[0]["resolved_at"] is not None

        await eventually(closed, "the end")
        (lasting,) = await watched.about("lasting")
        assert lasting["resolved_at"] is None
        assert await watched.metric("vigie_responder_comparison_failures_total") > failures
        (episode,) = await watched.about("forgotten")
        assert "closed by comparison" in await watched.text(f"/incidents/{episode['incident']}")
        await watched.counts("closed", 1)
        assert await watched.metric("vigie_responder_comparison_doubts_total") == 0
