"""The outbox on real receivers: repeats, refusals, and one that is dead."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from responder.channel import Delivered, Message, Rejected, Retry, channels
from responder.channels.log import LogChannel
from responder.channels.webhook import WebhookChannel
from responder.config import Config
from responder.incident import Incident, IncidentState
from responder.lastresort import apology
from responder.outbox import backoff_seconds
from responder.store.outbox import GONE
from tests.responder.conftest import Place, Start, eventually, place_in
from tests.responder.fakes import alert, post
from tests.responder.receiver import Receiver, listening
from toolkit.secrets import Secret

INCIDENT = Incident(id="i", opened_at=0, state=IncidentState.REPORTED, reason="", episodes=())
MESSAGE = Message(
    idempotency_key="k" * 32,
    report=apology(INCIDENT, "r", "a test", 1.0),
    incident=INCIDENT,
    page_url="http://responder.example/incidents/i",
)


async def deliveries(place: Place) -> list[dict[str, Any]]:
    """Give how the deliveries of the only incident stand."""
    (incident,) = await place.reported()
    whole = await place.read(f"/api/v1/incidents/{incident['id']}")
    found: list[dict[str, Any]] = whole["deliveries"]
    return found


async def test_a_refused_message_comes_again_under_its_key(start: Start, sink: Receiver) -> None:
    """After 500 and 429 the same message is posted again with the same key."""
    sink.answers = [(500, {}), (429, {"Retry-After": "1"})]
    place = await start(f"channels: [{{kind: webhook, url: '{sink.url}'}}]")
    await place.send(post(alert(starts_at=time.time())))
    received = await sink.until(3)
    assert len({each.key for each in received}) == 1

    async def done() -> bool:
        return bool((await deliveries(place))[0]["status"] == "delivered")

    await eventually(done)
    assert (await deliveries(place))[0]["attempts"] == 3
    metrics = await place.text("/metrics")
    assert 'vigie_responder_outbox_failures_total{channel="webhook"} 2.0' in metrics


async def test_a_rejected_message_is_shown_and_not_sent_again(start: Start, sink: Receiver) -> None:
    """A 400 is for ever; what comes later is delivered."""
    sink.answers = [(400, {})]
    place = await start(f"channels: [{{kind: webhook, url: '{sink.url}'}}]")
    await place.send(post(alert(starts_at=time.time())))
    await sink.until(1)

    async def shown() -> bool:
        return bool((await deliveries(place))[0]["problem"] == "webhook: answered 400")

    await eventually(shown)
    await place.send(post(alert("Other", starts_at=time.time(), target="scorer")))
    received = await sink.until(2)
    assert received[0].key != received[1].key


async def test_a_dead_destination_delays_no_other(start: Start, sink: Receiver) -> None:
    """One channel refuses connections, one never answers: the third has its messages."""
    async with listening() as silent:
        silent.hold.clear()
        settings = f"""
        channels:
          - {{kind: webhook, name: closed, url: "http://127.0.0.1:9/x"}}
          - {{kind: webhook, name: silent, url: "{silent.url}"}}
          - {{kind: webhook, name: well, url: "{sink.url}"}}
        """
        place = await start(settings)
        await place.send(post(alert(starts_at=time.time())))
        await place.send(post(alert("Other", starts_at=time.time(), target="scorer")))
        await sink.until(2)

        async def shown() -> bool:
            metrics = await place.text("/metrics")
            # Two reports, and an update where the incidents prove to be one after the first is out.
            waits = 'vigie_responder_outbox_pending{channel="closed"} 0.0' not in metrics
            return waits and 'vigie_responder_outbox_pending{channel="well"} 0.0' in metrics

        await eventually(shown)


async def test_the_same_message_has_the_same_key_after_a_restart(tmp_path: Path) -> None:
    """What could not be delivered before a restart comes after it, under the key of before."""
    async with listening() as sink:
        sink.answers = [(503, {"Retry-After": "1"})]
        settings = f"channels: [{{kind: webhook, url: '{sink.url}'}}]"
        async with place_in(tmp_path, settings) as place:
            await place.send(post(alert(starts_at=time.time())))
            await sink.until(1)
        async with place_in(tmp_path, settings):
            first, second = await sink.until(2)
        assert first.key == second.key


async def test_what_waits_for_a_channel_that_is_gone_is_given_up(tmp_path: Path) -> None:
    """At the start and at a reload messages for channels that are not configured are rejected."""
    gone, other = (
        f"channels: [{{kind: webhook, name: {name}, url: 'http://127.0.0.1:9/'}}]"
        for name in ("gone", "other")
    )
    async with place_in(tmp_path, gone) as place:
        await place.send(post(alert(starts_at=time.time())))
        assert (await deliveries(place))[0]["status"] == "pending"
    async with place_in(tmp_path, other) as place:
        (row,) = await deliveries(place)
        assert (row["status"], row["problem"]) == ("rejected", GONE)
        await place.send(post(alert(starts_at=time.time(), target="scorer")))
        await place.reported(2)
        startup = replace(place.responder.startup, read=Config)
        place.responder.startup = startup
        await place.responder.reload()
        metrics = await place.text("/metrics")
        assert 'vigie_responder_outbox_pending{channel="other"}' not in metrics


def test_patience_grows_and_heeds_the_far_end() -> None:
    """It doubles up to a minute; what the far end asks for is a floor, up to an hour."""
    assert [backoff_seconds(attempts, None) for attempts in (0, 1, 2, 9)] == [1, 2, 4, 60]
    assert backoff_seconds(0, 30) == 30
    assert backoff_seconds(9, 5) == 60
    assert backoff_seconds(0, 1e9) == 3600


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {}, Delivered()),
        (204, {}, Delivered()),
        (302, {"Location": "/elsewhere"}, Retry(problem="webhook: answered 302")),
        *((each, {}, Rejected(problem=f"webhook: answered {each}")) for each in (400, 413, 422)),
        *(
            (each, {}, Retry(problem=f"webhook: answered {each}"))
            for each in (401, 403, 404, 405, 407, 408, 410)
        ),
        (429, {"Retry-After": "7"}, Retry(problem="webhook: answered 429", after_seconds=7)),
        (503, {"Retry-After": "soon"}, Retry(problem="webhook: answered 503")),
        (
            500,
            {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"},
            Retry(problem="webhook: answered 500", after_seconds=0),
        ),
    ],
)
async def test_the_webhook_judges_by_the_status(
    sink: Receiver, status: int, headers: dict[str, str], expected: object
) -> None:
    """2xx is delivered, what is wrong with the body never; everything else comes again."""
    sink.answers = [(status, headers)]
    async with aiohttp.ClientSession() as session:
        channel = WebhookChannel(url=sink.url)
        assert await channel.send(MESSAGE, session, 5) == expected


async def test_the_webhook_says_when_nobody_answers(sink: Receiver) -> None:
    """A closed port and a silent server are both tried again."""
    sink.hold.clear()
    async with aiohttp.ClientSession() as session:
        silent = WebhookChannel(url=sink.url, timeout=0.1)
        assert await silent.send(MESSAGE, session, 5) == Retry(
            problem="webhook: no answer within 0.1 s"
        )
        closed = WebhookChannel(url="http://127.0.0.1:9/")
        outcome = await closed.send(MESSAGE, session, 5)
        assert isinstance(outcome, Retry)


async def test_the_webhook_shows_its_token(sink: Receiver) -> None:
    """The bearer token goes into the header, and nowhere else."""
    token = Secret.from_environ("TOKEN", {"TOKEN": "a-token"})
    channel = WebhookChannel(url=sink.url, bearer=token)
    async with aiohttp.ClientSession() as session:
        await channel.send(MESSAGE, session, 5)
    assert "a-token" not in repr(channel)
    assert "a-token" not in str(sink.received)


async def test_the_log_channel_writes_one_line() -> None:
    """Headline, decision and page are fields of it."""
    async with aiohttp.ClientSession() as session:
        with capture_logs() as lines:
            assert await LogChannel().send(MESSAGE, session, 5) == Delivered()
    (line,) = lines
    assert (line["report"], line["decision"]) == ("r", "page")
    assert line["page"] == MESSAGE.page_url


def test_every_channel_has_a_name_of_its_own_kind() -> None:
    """A channel that is configured without a name is called by its kind."""
    for kind, model in channels.items():
        assert model.model_fields["name"].default == kind  # type: ignore[attr-defined]
