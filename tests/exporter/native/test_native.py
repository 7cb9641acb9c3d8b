"""A server's own metrics: read leniently, compared over time; every server of the table walked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import get_args

import pytest

from exporter.access import Auth
from exporter.native import watch
from exporter.native.names import SERVERS, Metric, Names, Server
from exporter.native.page import Reading, parse
from exporter.native.watch import view
from exporter.target import Native, Reason, State
from exporter.transport import open_transport
from exporter.verdict import Seen, decide
from tests.exporter.servers import (
    GARBAGE,
    OK,
    Behaviour,
    request_of,
    says,
    serving,
    silent,
)
from toolkit.secrets import Secret

VLLM = """
# HELP vllm:num_requests_running Number of requests
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a}b"} 2.0
vllm:num_requests_running{engine="1",model_name="m"} 1 1700000000000
vllm:num_requests_waiting{engine="0"} 4
vllm:num_requests_waiting_by_reason{reason="x"} 99
vllm:generation_tokens_total{engine="0"} 1.5e+03
vllm:generation_tokens_created{engine="0"} 1.7e+09
vllm:prompt_tokens{engine="0"} 10
vllm:broken{ 7
vllm:num_requests_waiting NaN
nonsense
"""
TALKS = SERVERS["vllm"]
ENDS = Names(progress=(Metric(names=("done",)),), at_end=True)
SLOW = Names(progress=(Metric(names=("done",)),), refresh_seconds=20)
KINDS = sorted(SERVERS)


def page(names: Names, figure: float, *, total: bool = False, old: bool = False) -> str:
    """Write a page of the shape that servers give: families with samples of two label sets."""
    lines = ["# HELP process_cpu_seconds_total Time", "process_cpu_seconds_total 12.5"]
    for metric in names.metrics():
        name = metric.names[-1 if old else 0] + ("_total" if total else "")
        lines += [
            f"# HELP {name} Text with {{braces}}",
            f"# TYPE {name} untyped",
            f'{name}{{model="m",note="a \\"b\\" }} 5"}} {figure}',
            f'{name}{{model="n"}} 1e0',
        ]
    return "\n".join([*lines, ""])


def test_figures_are_summed_over_engines() -> None:
    """Labels are added up, `_total` may be there or not, lookalikes and nonsense are skipped."""
    reading = parse(VLLM, TALKS, 5.0)
    assert (reading.running, reading.waiting, reading.progress) == (3, 4, (1500, 10))
    assert not any(reading.absent.values())


def test_every_server_of_the_settings_has_names() -> None:
    """What the configuration allows, the table holds."""
    assert set(get_args(Server)) == set(SERVERS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("total", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_every_name_is_found(
    kind: str,
    total: bool,  # noqa: FBT001 - a column of the table
    old: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Each figure comes from today's name or an older one, `_total` or not."""
    names = SERVERS[kind]
    reading = parse(page(names, 4, total=total, old=old), names, 5.0)
    assert reading.progress == (5.0,) * len(names.progress)
    assert (reading.running is not None) is bool(names.running)
    assert reading.waiting == (5.0 * len(names.waiting) if names.waiting else None)
    assert reading.absent
    assert not any(reading.absent.values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_that_has_gone_is_missed(kind: str) -> None:
    """A page without the names says so of each; what is not there is not zero."""
    names = SERVERS[kind]
    reading = parse("up 1\n", names, 5.0)
    needed = {metric.names[0] for metric in names.metrics() if not metric.optional}
    assert reading.absent == dict.fromkeys(needed, True)
    assert (reading.running, reading.waiting) == (None, None)
    assert set(reading.progress) == {None}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_server_lacks_is_said(kind: str) -> None:
    """A row without a gauge of its queue or of what runs says what it lacks."""
    names = SERVERS[kind]
    assert names.lacks or (names.running and names.waiting)
    assert names.progress


def test_family_without_samples_is_there_and_zero() -> None:
    """Python's client announces a labelled counter before it has ever counted."""
    for kind, family in (
        ("litellm", "litellm_output_tokens_metric_total"),
        ("kserve", "request_predict_seconds"),
    ):
        reading = parse(f"# HELP {family} x\n# TYPE {family} counter\n", SERVERS[kind], 5.0)
        assert reading.progress[0] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reason", [Reason.TIMEOUT_TOTAL, Reason.STALL])
@pytest.mark.parametrize(("step", "waiting"), [(1, True), (1, False), (0, True), (0, False)])
def test_late_run_is_explained_for_every_server(
    kind: str,
    reason: Reason,
    step: int,
    waiting: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Still: hung. Moving, and a queue told and long: saturated. Moving otherwise: unresponsive.

    The gauge of running requests reads zero throughout, as a wedged engine's may.
    """
    names = SERVERS[kind]
    readings = []
    for number in range(4):
        text = page(Names(progress=names.progress), 7 + step * number)
        text += page(Names(waiting=names.waiting, progress=()), 3 if waiting else -1)
        text += "".join(f"{metric.names[0]} 0\n" for metric in names.running)
        readings.append(parse(text, names, 10.0 * number))
    seen = Seen(reason=reason, native=view(readings, names, least_apart_seconds=5))
    moving = State.SATURATED if waiting and names.waiting else State.UNRESPONSIVE
    assert decide(seen) is (moving if step else State.HUNG)


def reading(at: float, done: float | None, *, reachable: bool = True) -> Reading:
    """Make a reading with one waiting."""
    return Reading(at=at, reachable=reachable, waiting=1, progress=(done,) if reachable else ())


@pytest.mark.parametrize(
    ("readings", "names", "moved"),
    [
        ([reading(0, 5), reading(9, 5)], TALKS, False),
        ([reading(0, 5), reading(9, 6)], TALKS, True),
        ([reading(0, 5), reading(9, 0)], TALKS, True),
        ([reading(0, 1), reading(5, 5), reading(9, 5)], TALKS, False),
        ([reading(0, 1), reading(5, 5), reading(9, 5)], ENDS, True),
        ([reading(0, 1), reading(8.9, 5), reading(9, 5)], TALKS, True),
        ([reading(0, 5, reachable=False), reading(9, 5)], TALKS, None),
        ([reading(9, 5)], TALKS, None),
        ([reading(0, None), reading(9, 5)], TALKS, None),
        ([reading(0, 5), reading(9, 5)], SLOW, None),
        ([reading(0, 5), reading(9, 6)], SLOW, True),
        ([reading(0, 5), reading(21, 5)], SLOW, False),
    ],
)
def test_movement_is_between_readings_well_apart(
    readings: list[Reading],
    names: Names,
    moved: bool | None,  # noqa: FBT001 - a column of the table
) -> None:
    """The newest reading two seconds older is compared, the oldest where only ends are counted."""
    assert view(readings, names, least_apart_seconds=2).moved is moved


def test_figures_that_move_against_one_another_move() -> None:
    """What one counter gains and another loses is no stillness."""
    readings = [Reading(at=at, reachable=True, progress=(at, -at)) for at in (0.0, 9.0)]
    assert view(readings, TALKS, least_apart_seconds=2).moved


def test_gone_at_the_end_is_unreachable() -> None:
    """What could be read before and not now is gone."""
    readings = [reading(0, 5), reading(9, 5, reachable=False)]
    assert not view(readings, TALKS, least_apart_seconds=1).reachable


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
    monkeypatch.setattr(watch, "_TIMEOUT_SECONDS", 0.2)
    async with serving(behaviour) as url, open_transport() as transport:
        got = await watch.read(Native(url=url, server="vllm"), transport, lambda: 1.0)
    assert not got.reachable
    assert not got.absent


@pytest.mark.parametrize("status", [b"404 Not Found", b"501 Not Implemented", b"401 No"])
async def test_server_without_such_a_page_is_there(status: bytes) -> None:
    """A server that refuses its metrics is alive, and lacks every name."""
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with serving(says(answer)) as url, open_transport() as transport:
        got = await watch.read(Native(url=url, server="llamacpp"), transport, lambda: 1.0)
    assert got.reachable
    assert all(got.absent.values())


async def test_native_endpoint_is_read() -> None:
    """A real exchange brings the figures."""
    head = OK + b"Content-Type: text/plain\r\nConnection: close\r\n\r\n"
    async with serving(says(head + VLLM.encode())) as url, open_transport() as transport:
        got = await watch.read(Native(url=url, server="vllm"), transport, lambda: 1.0)
    assert (got.reachable, got.progress) == (True, (1500, 10))


async def test_page_behind_a_redirect_and_a_key_is_read(tmp_path: Path) -> None:
    """LiteLLM's page wants its key and is at another path than people write."""
    key = tmp_path / "key"
    key.write_text("sk-1")

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await request_of(reader)
        if b"authorization: bearer sk-1" not in asked.lower():
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        elif asked.startswith(b"GET /metrics/ "):
            writer.write(OK + b"Connection: close\r\n\r\n" + VLLM.encode())
        else:
            writer.write(b"HTTP/1.1 307 T\r\nLocation: /metrics/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with serving(behave) as url, open_transport() as transport:
        bare = Native(url=f"{url}/metrics", server="vllm")
        keyed = bare.model_copy(update={"auth": Auth(bearer=Secret.from_file(key))})
        got = await watch.read(keyed, transport, lambda: 1.0)
        assert got.running == 3
        assert all((await watch.read(bare, transport, lambda: 1.0)).absent.values())
        key.unlink()
        got = await watch.read(keyed, transport, lambda: 1.0)
        assert (got.reachable, dict(got.absent)) == (True, {})
        assert view([got, got], SERVERS["vllm"], least_apart_seconds=0).moved is None
