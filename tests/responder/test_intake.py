"""The webhooks over real HTTP: what is answered, and what is on disk by then."""

from __future__ import annotations

import asyncio
import gzip
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from responder.config import LARGEST_BODY_BYTES
from tests.responder.conftest import Place, Start, eventually
from tests.responder.fakes import alert, post

CALM = "incidents: {quiet: 1h}"
WEBHOOK = "/webhook/alertmanager"


def warning(name: str = "VigieTargetDegraded", **options: Any) -> dict[str, Any]:
    """Make an alert that waits for its quiet time."""
    return alert(name, severity="warning", **options)


async def metric(place: Place, line: str) -> float:
    """Give the value of one series, 0 where it is not there."""
    for each in (await place.text("/metrics")).splitlines():
        if each.startswith(f"{line} "):
            return float(each.rpartition(" ")[2])
    return 0.0


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the database itself, as another process would."""
    with sqlite3.connect(folder / "state" / "vigie.db") as connection:
        return connection.execute(query).fetchall()


async def test_what_was_answered_200_is_on_disk(start: Start, tmp_path: Path) -> None:
    """Another connection sees body, episode, incident and work as soon as the answer is there."""
    place = await start(CALM)
    body = orjson.dumps(post(warning(starts_at=time.time())))
    assert await place.send(body) == 200
    assert rows(tmp_path, "SELECT body FROM deliveries") == [(body,)]
    assert rows(tmp_path, "SELECT alertname FROM episodes") == [("VigieTargetDegraded",)]
    assert rows(tmp_path, "SELECT state FROM incidents") == [("waiting",)]
    assert rows(tmp_path, "SELECT state FROM work") == [("waiting",)]
    assert rows(tmp_path, "PRAGMA journal_mode") == [("wal",)]


async def test_a_redelivery_changes_nothing_twice(start: Start, tmp_path: Path) -> None:
    """The same post again, or from a second Alertmanager, adds nothing but its body."""
    place = await start(CALM)
    body = post(warning(starts_at=time.time()))
    for url in ("http://a.example", "http://b.example", "http://a.example"):
        assert await place.send(body | {"externalURL": url}) == 200
    assert rows(tmp_path, "SELECT count(*) FROM episodes") == [(1,)]
    assert rows(tmp_path, "SELECT count(*) FROM episode_facts") == [(1,)]
    assert rows(tmp_path, "SELECT count(*) FROM incidents") == [(1,)]
    assert rows(tmp_path, "SELECT count(*) FROM deliveries") == [(3,)]


async def test_the_start_moves_earlier_and_never_later(start: Start) -> None:
    """Replicas that merge may bring an earlier start; a later one is not believed."""
    place = await start(CALM)
    now = time.time()
    for starts_at in (now - 10, now - 50, now - 5):
        await place.send(post(warning(starts_at=starts_at)))
    (incident,) = await place.incidents()
    whole = await place.read(f"/api/v1/incidents/{incident['id']}")
    (episode,) = whole["episodes"]
    assert episode["alert"]["starts_at"] == pytest.approx(now - 50, abs=0.001)


async def test_end_and_beginning_in_one_post_are_two_incidents(start: Start) -> None:
    """What ended is taken in first, whatever the order in the post."""
    place = await start(CALM)
    now = time.time()
    await place.send(post(warning("A", starts_at=now - 60)))
    both = post(warning("B", starts_at=now), warning("A", starts_at=now - 60, ends_at=now))
    await place.send(both)
    second, first = await place.incidents()
    assert (first["alertnames"], first["state"]) == (["A"], "closed")
    assert (second["alertnames"], second["state"]) == (["B"], "waiting")


async def test_alerts_on_a_target_are_one_incident(start: Start) -> None:
    """Different alerts on one target join; another target and a bare component stand alone."""
    place = await start(CALM)
    now = time.time()
    await place.send(post(warning("A", starts_at=now), warning("B", starts_at=now)))
    await place.send(post(warning("C", starts_at=now, target="scorer")))
    await place.send(post(warning("D", starts_at=now, target="", service="features")))
    await place.send(post(warning("E", starts_at=now, target="", service="features")))
    names = {tuple(each["alertnames"]) for each in await place.incidents()}
    assert names == {("A", "B"), ("C",), ("D", "E")}


async def test_a_recurrence_is_an_occurrence_with_its_reason(start: Start) -> None:
    """The same alert again within the hour is not investigated again, and says why."""
    place = await start("incidents: {quiet: 0s}")
    now = time.time()
    await place.send(post(warning(starts_at=now - 100)))
    (first,) = await place.reported()
    await place.send(post(warning(starts_at=now - 100, ends_at=now - 50)))
    await place.send(post(warning(starts_at=now)))
    again, _ = await place.incidents()
    assert (again["state"], again["occurrence_of"]) == ("closed", first["id"])
    assert "occurrence of incident" in again["reason"]
    assert place.investigation.calls["gather"] == 1


async def test_the_watchdog_is_seen_but_is_no_incident(start: Start) -> None:
    """Its arrival is exported and nothing is investigated."""
    place = await start()
    before = time.time()
    await place.send(post(alert("VigieWatchdog", starts_at=before, target="")))
    assert await place.incidents() == []
    seen = await metric(place, "vigie_responder_watchdog_last_seen_timestamp_seconds")
    assert seen >= before


async def test_what_began_and_ended_unseen_is_kept_as_seen_late(start: Start) -> None:
    """A resolved alert that was never seen firing is an incident, closed at once."""
    place = await start(CALM)
    now = time.time()
    await place.send(post(warning(starts_at=now - 60, ends_at=now - 30)))
    (incident,) = await place.incidents()
    assert incident["state"] == "closed"
    whole = await place.read(f"/api/v1/incidents/{incident['id']}")
    assert whole["episodes"][0]["seen_late"] is True


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"alerts": 1}', b"\x00\xff" * 50])
async def test_what_cannot_be_read_is_kept_and_answered_200(
    start: Start, tmp_path: Path, body: bytes
) -> None:
    """It is on disk as it came, counted, and shown."""
    place = await start(CALM)
    assert await place.send(body) == 200
    assert rows(tmp_path, "SELECT body FROM deliveries WHERE problem IS NOT NULL") == [(body,)]
    assert await metric(place, "vigie_responder_quarantined_total") == 1
    assert "Quarantine" in await place.text("/quarantine")


async def test_a_broken_encoding_is_quarantined(start: Start, tmp_path: Path) -> None:
    """A body that says gzip and is none is answered 200 like any other that cannot be read."""
    place = await start(CALM)
    headers = {"Content-Encoding": "gzip"}
    assert await place.send(b"this is no gzip", headers=headers) == 200
    assert len(rows(tmp_path, "SELECT 1 FROM deliveries WHERE problem IS NOT NULL")) == 1
    packed = gzip.compress(orjson.dumps(post(warning(starts_at=time.time()))))
    assert await place.send(packed, headers=headers) == 200
    assert len(await place.incidents()) == 1


async def test_mutated_posts_get_nothing_but_200(start: Start) -> None:
    """Three hundred bent bodies: each is answered 200 and accounted for."""
    place = await start(CALM)
    chance = random.Random(7)
    for number in range(300):
        body = bytearray(orjson.dumps(post(warning(starts_at=time.time()))))
        for _ in range(chance.randint(0, 6)):
            where = chance.randrange(len(body))
            body[where : where + chance.randint(0, 9)] = chance.randbytes(chance.randint(0, 4))
        assert await place.send(bytes(body)) == 200, (number, bytes(body))
    stored = await metric(place, "vigie_responder_deliveries_received_total")
    assert stored == 300


async def test_wrong_credentials_get_401_and_right_ones_200(start: Start) -> None:
    """With tokens configured, one of them must come; what was refused is counted."""
    place = await start(
        f"{{webhook: {{bearer: [{{env: OLD}}, {{env: NEW}}]}}, {CALM}}}",
        environ={"OLD": "old-token", "NEW": "new-token"},
    )
    body = post(warning(starts_at=time.time()))
    assert await place.send(body) == 401
    assert await place.send(body, headers={"Authorization": "Bearer wrong"}) == 401
    for token in ("old-token", "new-token"):
        assert await place.send(body, headers={"Authorization": f"Bearer {token}"}) == 200
    assert await metric(place, 'vigie_responder_intake_refused_total{code="401"}') == 2


async def test_a_post_over_the_limit_gets_413_before_it_is_read(start: Start) -> None:
    """A length that is announced, and one that is not, are both refused and counted."""
    place = await start(CALM)
    reader, writer = await asyncio.open_connection(place.url.host, place.url.port)
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGEST_BODY_BYTES + 1}\r\n\r\n"
    writer.write(head.encode())
    assert b"413" in await asyncio.wait_for(reader.readline(), 30)
    writer.close()
    await writer.wait_closed()

    async def endless() -> Any:
        for _ in range(LARGEST_BODY_BYTES // 2**20 + 2):
            yield bytes(2**20)

    async with place.session.post(place.url / WEBHOOK[1:], data=endless()) as response:
        assert response.status == 413
    assert await metric(place, 'vigie_responder_intake_refused_total{code="413"}') == 2


async def test_a_body_that_does_not_come_gets_503(start: Start) -> None:
    """A sender that stalls is told to come again."""
    place = await start(f"{{limits: {{body_deadline: 100ms}}, {CALM}}}")
    reader, writer = await asyncio.open_connection(place.url.host, place.url.port)
    writer.write(f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    assert b" 503 " in answer
    assert b"Retry-After" in answer
    writer.close()
    await writer.wait_closed()


async def test_a_locked_database_gets_503_and_recovers(start: Start, tmp_path: Path) -> None:
    """While another connection holds the write lock nothing is promised; after it, all is well."""
    place = await start(CALM)
    body = post(warning(starts_at=time.time()))
    other = sqlite3.connect(tmp_path / "state" / "vigie.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with place.session.post(place.url / WEBHOOK[1:], json=body) as response:
        assert response.status == 503
        assert response.headers["Retry-After"]
    assert await place.text("/-/healthy")
    other.execute("ROLLBACK")
    other.close()
    assert await place.send(body) == 200
    assert len(await place.incidents()) == 1


async def test_a_store_that_cannot_be_read_is_no_old_news(start: Start, tmp_path: Path) -> None:
    """The scrape says so and leaves out what only the store knows, until it can be read again."""
    place = await start(CALM)
    assert await metric(place, "vigie_responder_store_up") == 1
    rows(tmp_path, "ALTER TABLE reports RENAME TO hidden")
    text = await place.text("/metrics")
    assert "vigie_responder_store_up 0.0" in text
    assert "vigie_responder_build_info" in text
    for family in ("incidents_open", "work_pending", "outbox_pending", "report_info"):
        assert f"vigie_responder_{family}" not in text
    rows(tmp_path, "ALTER TABLE hidden RENAME TO reports")
    assert "vigie_responder_incidents_open 0.0" in await place.text("/metrics")


async def test_a_full_backlog_gets_503_until_it_empties(start: Start) -> None:
    """Over the bound of waiting investigations posts are sent away, and taken again below it."""
    place = await start(f"{{limits: {{pending_investigations: 2}}, {CALM}}}")
    now = time.time()
    for name in "ab":
        assert await place.send(post(warning(starts_at=now, target=name))) == 200
    body = post(warning(starts_at=now, target="c"))
    assert await place.send(body) == 503
    place.responder.current.config = place.responder.current.config.model_copy(
        update={
            "limits": place.responder.current.config.limits.model_copy(
                update={"pending_investigations": 3}
            )
        }
    )
    assert await place.send(body) == 200


async def test_many_posts_at_once_are_all_stored(start: Start, tmp_path: Path) -> None:
    """A hundred at the same time share commits and lose nothing."""
    place = await start(CALM)
    now = time.time()
    bodies = [post(warning(starts_at=now, target=f"t{number}")) for number in range(100)]
    statuses = await asyncio.gather(*(place.send(body) for body in bodies))
    assert set(statuses) == {200}
    assert rows(tmp_path, "SELECT count(*) FROM incidents") == [(100,)]


async def test_a_change_is_kept_shown_and_given_to_the_investigation(start: Start) -> None:
    """What was posted to the change webhook is evidence for the next incident."""
    place = await start()
    change = {"service": "chat", "kind": "deployment", "title": "chat v2", "version": "2"}
    assert await place.send(change, "/webhook/change") == 200
    (kept,) = (await place.read("/api/v1/changes"))["changes"]
    assert kept["title"] == "chat v2"
    await place.send(post(alert(starts_at=time.time())))
    (incident,) = await place.reported()
    whole = await place.read(f"/api/v1/incidents/{incident['id']}")
    assert whole["evidence"][0]["facts"]["changes"] == "chat v2"


async def test_a_change_without_a_service_is_quarantined(start: Start) -> None:
    """It is answered 200 and kept, and is no change."""
    place = await start()
    assert await place.send({"title": "x"}, "/webhook/change") == 200
    assert (await place.read("/api/v1/changes"))["changes"] == []
    assert await metric(place, "vigie_responder_quarantined_total") == 1


async def test_a_fault_of_our_own_is_quarantined(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A post that our own code fails on is kept raw and answered 200, not sent again for ever."""
    place = await start(CALM)

    def fail(*_arguments: object, **_options: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("responder.admission.place", fail)
    assert await place.send(post(warning(starts_at=time.time()))) == 200
    assert "KeyError" in await place.text("/quarantine")
    monkeypatch.undo()


async def test_investigations_wait_for_quiet(start: Start) -> None:
    """A warning is investigated once nothing new has come for the quiet time."""
    place = await start("incidents: {quiet: 300ms}")
    began = time.time()
    await place.send(post(warning(starts_at=began)))

    async def reported() -> bool:
        return str((await place.incidents())[0]["state"]) == "reported"

    await eventually(reported)
    assert time.time() - began >= 0.3
