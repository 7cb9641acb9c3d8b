"""The load: a rhythm, arrivals that do not wait, and a bound on what is in flight."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.component import Site
from lab.dials import DialBox
from lab.load import NIGHT_RATIO, LoadDials, Stream, Users, rhythm, streams
from tests.lab.servers import Servers, until


@given(st.floats(min_value=0, max_value=1e9))
def test_the_rhythm_stays_between_night_and_peak(now: float) -> None:
    """At no time of the day is the rate over its peak or under the night's."""
    assert NIGHT_RATIO <= rhythm(now, 1800.0) <= 1.0


def test_the_day_has_a_peak_and_a_night() -> None:
    """A quarter of the day after its beginning is the peak, at three quarters the night."""
    assert rhythm(450.0, 1800.0) == pytest.approx(1.0)
    assert rhythm(1350.0, 1800.0) == pytest.approx(NIGHT_RATIO)


async def test_arrivals_do_not_wait_but_are_bounded() -> None:
    """While nothing is answered, requests pile up to the bound, and the rest are shed."""

    async def never(_rng: random.Random) -> None:
        await asyncio.Event().wait()

    stream = Stream(
        name="x", rate=lambda _: 2000.0, send=never, rng=random.Random(1), in_flight_at_most=5
    )

    async def shed() -> bool:
        return stream.shed >= 3

    task = asyncio.create_task(stream.run())
    await until(shed)
    assert len(stream._sent) == 5
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_errors_of_servers_do_not_stop_the_users() -> None:
    """A request that fails is followed by others."""
    calls = iter(range(5))
    done = asyncio.Event()

    async def fails(_rng: random.Random) -> None:
        if next(calls, None) is None:
            done.set()
        raise aiohttp.ClientConnectionError

    stream = Stream(name="x", rate=lambda _: 500.0, send=fails, rng=random.Random(1))
    task = asyncio.create_task(stream.run())
    await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_surge_is_silent_until_its_dial_is_turned(servers: Servers) -> None:
    """Only the dial gives the surge a rate; the others follow the day."""
    dials = DialBox(LoadDials())
    site = Site(addresses=servers.addresses, version="1", certs_dir=servers.certs_dir)
    named = {s.name: s for s in streams(Users(gateway="g", scorer="s"), dials, site)}
    assert named["surge"].rate(0.0) == 0.0
    assert named["chat"].rate(450.0) == pytest.approx(10.0)
    dials.turn({"surge_chat_per_second": 60.0})
    assert named["surge"].rate(0.0) == 60.0
