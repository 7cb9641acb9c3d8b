"""What every channel keeps, whatever its far end does; the registry says which there are."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from responder import channels as folder  # noqa: F401 - its plug-ins register themselves
from responder.channel import Delivered, Message, Rejected, Retry, channels
from tests.responder.channels.messages import HOSTILE, message, resolved
from tests.responder.channels.rigs import RIGS, Rig


@pytest.fixture(params=channels.kinds())
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Give a rig of each kind that is registered."""
    async with RIGS[request.param](tmp_path) as running:
        yield running


async def send(rig: Rig, told: Message) -> Delivered | Retry | Rejected:
    """Send a message to the rig's first destination; nothing of the secret is logged."""
    addressed = replace(told, destination=rig.channel.destinations()[0])
    async with aiohttp.ClientSession() as session:
        with capture_logs() as lines:
            outcome = await rig.channel.send(addressed, session, 20)
    if rig.secret:
        assert rig.secret not in f"{lines} {outcome} {rig.channel!r}"
    return outcome


def test_every_kind_has_a_rig() -> None:
    """A new channel comes with its far end."""
    assert set(RIGS) == set(channels.kinds())


async def test_a_message_and_its_end_arrive(rig: Rig) -> None:
    """Every channel takes a report, something new about it, and its end."""
    first = await send(rig, message())
    assert isinstance(first, Delivered)
    told = replace(message(), event="updated", note="more", idempotency_key="u" * 32)
    assert isinstance(await send(rig, replace(told, reference=first.reference)), Delivered)
    assert isinstance(await send(rig, resolved(reference=first.reference)), Delivered)


async def test_a_far_end_that_hangs(rig: Rig) -> None:
    """The channel's own timeout holds, the message is to be tried again, and says where it hung."""
    rig.hang()
    if rig.secret:
        hurried = rig.channel.model_copy(update={"timeout": 0.5})  # type: ignore[attr-defined]
        rig = replace(rig, channel=hurried)
    began = time.monotonic()
    outcome = await send(rig, message())
    assert time.monotonic() - began < 10
    if rig.secret:
        assert isinstance(outcome, Retry)
        assert "answer" in outcome.problem
        assert ": " in outcome.problem


async def test_the_same_message_twice(rig: Rig) -> None:
    """A repeat under the same key is known as one: here it arrives once."""
    assert isinstance(await send(rig, message()), Delivered)
    assert isinstance(await send(rig, message(earlier_attempts=1)), Delivered)
    assert rig.count() == 1


@pytest.mark.parametrize("event", ["reported", "updated", "resolved"])
async def test_hostile_text_and_a_thousand_causes(rig: Rig, event: str) -> None:
    """Mark-up, control characters and reports of a megabyte are delivered all the same."""
    told = message(HOSTILE * 2, 1000, event=event, note=HOSTILE)
    assert len(told.report.model_dump_json(fallback=str).encode("utf-8", "replace")) > 1_000_000
    assert isinstance(await send(rig, told), Delivered)


async def test_a_report_without_anything(rig: Rig) -> None:
    """No cause, no action, no chart: what there is arrives."""
    told = message("x", 0, chart_svg="")
    emptied = told.report.model_copy(update={"actions": (), "unverified": ()})
    assert isinstance(await send(rig, replace(told, report=emptied)), Delivered)
