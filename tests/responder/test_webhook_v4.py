"""What is read of a post, however it is bent."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.alert import AlertStatus
from responder.webhook_v4 import UnreadableError, read_delivery
from tests.responder.fakes import alert, post

NOW = 1_800_000_000.0


def read(body: Any) -> Any:
    """Read a post given as plain data."""
    return read_delivery(orjson.dumps(body), NOW)


def test_a_post_is_read_whole() -> None:
    """Labels, times, status and envelope arrive as they were sent."""
    reading = read(post(alert(starts_at=NOW - 60, zone="b"), group="{}:{a}"))
    (found,) = reading.delivery.alerts
    assert found.labels["zone"] == "b"
    assert found.status is AlertStatus.FIRING
    assert (found.starts_at, found.ends_at) == (NOW - 60, None)
    assert reading.delivery.group_key == "{}:{a}"
    assert reading.problems == ()


def test_fields_of_other_versions_may_be_missing_or_extra() -> None:
    """Only the list of alerts and their labels are needed."""
    reading = read({"alerts": [{"labels": {"alertname": "A"}}], "version": "5", "new": [1]})
    (found,) = reading.delivery.alerts
    assert found.status is AlertStatus.FIRING
    assert found.starts_at == NOW
    assert found.fingerprint


def test_a_fingerprint_of_our_own_goes_by_the_labels_alone() -> None:
    """The order of labels does not change it, a value does."""
    first, second, third = (
        read({"alerts": [{"labels": labels}]}).delivery.alerts[0].fingerprint
        for labels in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "1", "b": "3"})
    )
    assert first == second
    assert first != third


@pytest.mark.parametrize(
    ("status", "ends_at", "ended"),
    [
        ("firing", "0001-01-01T00:00:00Z", None),
        ("firing", "2020-01-01T00:00:00Z", None),
        ("resolved", "2026-01-01T00:00:00.123456789Z", 1767225600.123456),
        ("resolved", "0001-01-01T00:00:00Z", NOW),
        ("resolved", "nonsense", NOW),
        ("resolved", "2200-01-01T00:00:00Z", NOW),
        (None, "2026-01-01T00:00:00+01:00", 1767222000.0),
        (None, None, None),
        (None, "2200-01-01T00:00:00Z", None),
    ],
)
def test_status_and_end_are_read_together(
    status: str | None, ends_at: str | None, ended: float | None
) -> None:
    """The status counts where there is one; an end that makes no sense is now."""
    (found,) = read(
        {"alerts": [{"labels": {}, "status": status, "endsAt": ends_at}]}
    ).delivery.alerts
    assert found.ends_at == pytest.approx(ended)
    assert (found.status is AlertStatus.FIRING) == (ended is None)


@pytest.mark.parametrize("bad", [None, [], {}, True, "x", 1e400, -5, "9999-99-99", "0001-01-01"])
def test_a_bad_start_is_the_time_of_arrival(bad: Any) -> None:
    """A start that is no time, or none that can be, is replaced."""
    body = json.dumps({"alerts": [{"labels": {}, "startsAt": bad}]}).encode()
    assert read_delivery(body, NOW).delivery.alerts[0].starts_at == NOW


def test_null_and_odd_label_values_become_text() -> None:
    """A null is empty, a number its digits, a list nothing, and NUL and surrogates go."""
    labels = {"a": None, "b": 5, "c": ["x"], "d": "x\x00y", "": "z"}
    body = json.dumps({"alerts": [{"labels": labels}]}).replace("x\\u0000y", "x\\u0000y\\ud800")
    (found,) = read_delivery(body.encode(), NOW).delivery.alerts
    assert found.labels == {"a": "", "b": "5", "c": "", "d": "xy?"}


def test_what_can_be_read_is_and_the_rest_is_named() -> None:
    """One bad alert does not cost the others."""
    reading = read({"alerts": [{"labels": {"alertname": "A"}}, 7, {"labels": None}]})
    assert [each.name for each in reading.delivery.alerts] == ["A"]
    assert reading.problems == ("alerts[1]: not an object", "alerts[2]: no labels")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}", b'{"alerts": {}}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_post_is_unreadable(body: bytes) -> None:
    """There is no guessing without a list of alerts."""
    with pytest.raises(UnreadableError):
        read_delivery(body, NOW)


@given(st.integers(min_value=0))
def test_a_mutated_post_is_read_or_unreadable(seed: int) -> None:
    """No change of bytes makes the parser fail in another way, and what it gives can be stored."""
    chance = random.Random(seed)
    body = bytearray(orjson.dumps(post(alert(starts_at=NOW), alert("B", starts_at=NOW))))
    for _ in range(chance.randint(1, 8)):
        where = chance.randrange(len(body))
        how = chance.randrange(3)
        if how == 0:
            body[where] = chance.randrange(256)
        elif how == 1:
            del body[where : where + chance.randint(1, 20)]
        else:
            body[where:where] = chance.choice([b"null", b'"', b"{", b"]", b"\\ud83d", b"1e999"])
    try:
        reading = read_delivery(bytes(body), NOW)
    except UnreadableError:
        return
    for each in reading.delivery.alerts:
        orjson.dumps(each.model_dump(mode="json"))
        assert 0 < each.starts_at <= NOW + 3600
