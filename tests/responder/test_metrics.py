"""The responder watched: what a scrape says of one that is well, one that stalls, one held up."""

from __future__ import annotations

import asyncio
import re
import threading
import time

from sqlalchemy import Connection

from tests.responder.conftest import Place, Start, eventually
from tests.responder.fakes import alert, post

SERIES = re.compile(r"^vigie_responder_(\S+?)(?:\{(\S*)\})? (\S+)$", re.MULTILINE)


async def scraped(place: Place) -> dict[str, float]:
    """Give the responder's series by name and labels."""
    text = await place.text("/metrics")
    return {
        f"{name}{{{labels}}}" if labels else name: float(value)
        for name, labels, value in SERIES.findall(text)
    }


async def test_a_responder_that_is_well_has_lost_nothing(start: Start) -> None:
    """After a report nothing waits, nothing is lost, and one replica is alive."""
    place = await start()
    assert await place.send(post(alert(starts_at=time.time()))) == 200
    await place.reported()

    seen = await scraped(place)

    lost = {name: value for name, value in seen.items() if name.startswith("unaccounted")}
    assert len(lost) == 5
    assert set(lost.values()) == {0}
    assert seen["replicas_alive"] == 1
    assert seen['work_pending{severity="critical",state="waiting"}'] == 0
    assert seen["writes_waiting"] == 0
    assert seen["commit_duration_seconds_count"] >= 1
    assert seen["commit_batch_size_sum"] >= seen["commit_batch_size_count"]


async def test_a_disk_that_hangs_shows_in_the_age_of_what_waits(start: Start) -> None:
    """While a commit hangs, the oldest write grows older and the others are counted."""
    place, begun, let_go = await start(), threading.Event(), threading.Event()

    def hang(_connection: Connection) -> None:
        begun.set()
        let_go.wait(30)

    store = place.responder.store
    hanging = asyncio.create_task(store.write(hang))
    assert await asyncio.to_thread(begun.wait, 10)
    behind = [asyncio.create_task(store.write(lambda _connection: None)) for _ in range(3)]
    try:

        async def waits() -> bool:
            seen = await scraped(place)
            return seen["writes_waiting"] >= 3 and seen["writes_oldest_age_seconds"] > 0.2

        assert await eventually(waits)
    finally:
        let_go.set()
        await asyncio.gather(hanging, *behind)

    async def is_over() -> bool:
        seen = await scraped(place)
        return seen["writes_waiting"] == 0 and seen["writes_oldest_age_seconds"] < 0.2

    assert await eventually(is_over)


async def test_a_loop_that_is_held_shows_as_lag(start: Start) -> None:
    """Whoever holds the event loop is seen by how late the next thing runs."""
    place = await start()
    await asyncio.sleep(0)

    async def held() -> bool:
        time.sleep(1.2)  # noqa: ASYNC251 - this is what is to be seen
        await asyncio.sleep(0.05)
        seen = await scraped(place)
        late = (
            seen['loop_lag_seconds_bucket{le="+Inf"}'] - seen['loop_lag_seconds_bucket{le="0.25"}']
        )
        return late >= 1

    assert await eventually(held)
