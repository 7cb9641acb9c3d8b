"""A server's own metrics: read leniently, compared over time."""

from __future__ import annotations

from typing import get_args

import pytest

from exporter import native
from exporter.native import SERVERS, Reading, parse, view
from exporter.target import Native
from exporter.transport import open_transport
from tests.exporter.servers import GARBAGE, OK, Behaviour, says, serving, silent

VLLM = """
# HELP vllm:num_requests_running Number of requests
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a}b"} 2.0
vllm:num_requests_running{engine="1",model_name="m"} 1 1700000000000
vllm:num_requests_waiting{engine="0"} 4
vllm:num_requests_waiting_by_reason{reason="x"} 99
vllm:generation_tokens_total{engine="0"} 1.5e+03
vllm:prompt_tokens{engine="0"} 10
vllm:broken{ 7
vllm:num_requests_waiting NaN
nonsense
"""


def test_figures_are_summed_over_engines() -> None:
    """Labels are added up, `_total` may be there or not, lookalikes and nonsense are skipped."""
    reading = parse(VLLM, SERVERS["vllm"], 5.0)
    assert (reading.running, reading.waiting, reading.tokens) == (3, 4, 1510)


def test_absent_families_are_none() -> None:
    """A family that is not there is not zero."""
    reading = parse("up 1\n", SERVERS["vllm"], 5.0)
    assert (reading.running, reading.waiting, reading.tokens) == (None, None, None)


def test_every_server_of_the_settings_has_names() -> None:
    """What the configuration allows, the table holds."""
    assert set(get_args(Native.model_fields["server"].annotation)) == set(SERVERS)


def reading(at: float, tokens: float | None, *, reachable: bool = True) -> Reading:
    """Make a reading with one waiting."""
    return Reading(at=at, reachable=reachable, waiting=1, tokens=tokens)


@pytest.mark.parametrize(
    ("readings", "moved"),
    [
        ([reading(0, 5), reading(9, 5)], False),
        ([reading(0, 5), reading(9, 6)], True),
        ([reading(0, 5), reading(9, 0)], True),
        ([reading(0, 1), reading(5, 5), reading(9, 5)], False),
        ([reading(0, 1), reading(8.9, 5), reading(9, 5)], True),
        ([reading(0, 5, reachable=False), reading(9, 5)], None),
        ([reading(9, 5)], None),
        ([reading(0, None), reading(9, 5)], None),
    ],
)
def test_movement_is_between_readings_well_apart(
    readings: list[Reading],
    moved: bool | None,  # noqa: FBT001 - a column of the table
) -> None:
    """The last reading is compared with the newest one at least two seconds older."""
    assert view(readings, least_apart_seconds=2).moved is moved


def test_gone_at_the_end_is_unreachable() -> None:
    """What could be read before and not now is gone."""
    assert not view(
        [reading(0, 5), reading(9, 5, reachable=False)], least_apart_seconds=1
    ).reachable


@pytest.mark.parametrize(
    "behaviour",
    [says(GARBAGE), says(b"HTTP/1.1 500 No\r\n\r\n"), says(), silent],
    ids=["garbage", "500", "nothing", "silent"],
)
async def test_native_endpoint_that_fails_is_unreachable(
    behaviour: Behaviour,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading never raises and never hangs."""
    monkeypatch.setattr(native, "_TIMEOUT_SECONDS", 0.2)
    async with serving(behaviour) as url, open_transport() as transport:
        got = await native.read(Native(url=url, server="vllm"), transport, lambda: 1.0)
    assert not got.reachable


async def test_native_endpoint_is_read() -> None:
    """A real exchange brings the figures."""
    head = OK + b"Content-Type: text/plain\r\nConnection: close\r\n\r\n"
    async with serving(says(head + VLLM.encode())) as url, open_transport() as transport:
        got = await native.read(Native(url=url, server="vllm"), transport, lambda: 1.0)
    assert (got.reachable, got.tokens) == (True, 1510)
