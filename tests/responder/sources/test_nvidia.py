"""The nvidia source: processors of the incident's pods and hosts, out of a real Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import pytest_asyncio

from responder.gpu import SERIES, THROTTLED, XID, XID_BEFORE, quantities
from responder.investigation.evidence import Evidence, Quantity, Status
from responder.source import Question, Topology
from responder.sources.nvidia import NvidiaSource
from tests.responder.patrol.history import EVERY_SECONDS, History
from tests.responder.sources.far_end import NOW, FarEnd, hang, incident, question, success, vector

FIRED = NOW - 60
ONSET = FIRED - 180
SPAN = [(NOW - 3000, NOW)]


def dcgm(number: int, host: str, **more: str) -> dict[str, str]:
    """Make the labels of one processor, as dcgm-exporter and a scrape put them."""
    return {
        "gpu": str(number),
        "UUID": f"GPU-{host}-{number}",
        "device": f"nvidia{number}",
        "modelName": "NVIDIA H100 80GB HBM3",
        "Hostname": host,
        "instance": f"{host}:9400",
        "job": "dcgm",
        **more,
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(
    programs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """Run one that has scraped three hosts; on the first a processor fell off the bus."""
    past = History()
    pod = {"exported_pod": "engine-7f9-abcde", "exported_namespace": "ml"}
    sick, well = dcgm(0, "node-1", **pod), dcgm(1, "node-1")
    past.add("DCGM_FI_DEV_XID_ERRORS", sick, lambda at: 79.0 if at >= ONSET else 0.0, SPAN)
    past.add("DCGM_FI_DEV_XID_ERRORS", well, lambda _at: 13.0, SPAN)
    past.add("DCGM_FI_DEV_GPU_TEMP", sick, lambda at: 90.0 if at >= ONSET else 60.0, SPAN)
    past.add("DCGM_FI_DEV_GPU_TEMP", dcgm(0, "node-2"), lambda _at: 55.0, SPAN)
    errors = lambda at: 2.0 if at >= ONSET else 0.0  # noqa: E731 - a column of a table
    past.add("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", dcgm(0, "node-3"), errors, SPAN)
    up = {
        "job": "serving",
        "service": "engine",
        "pod": "engine-7f9-abcde",
        "instance": "10.0.0.1:80",
    }
    past.add("up", up, lambda _at: 1.0, SPAN)
    other = {"job": "serving", "service": "door", "node": "node-2", "instance": "10.0.0.2:80"}
    past.add("up", other, lambda _at: 1.0, SPAN)
    server, url = past.prometheus(programs, tmp_path_factory.mktemp("gpu"))
    await server.start()
    try:
        yield url
    finally:
        await server.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as running:
        yield running


async def asked(source: NvidiaSource, about: Question) -> dict[str, Evidence]:
    """Return the evidence by component, the one of none under the empty name."""
    finding = await source.gather(about)
    return {each.component or "": each for each in finding.evidence}


def named(evidence: Evidence, name: str) -> list[Quantity]:
    """Return its quantities of one name."""
    return [each for each in evidence.quantities if each.name == name]


async def test_each_component_has_the_processors_of_its_pods_or_hosts(
    prometheus: str, session: aiohttp.ClientSession
) -> None:
    """A pod says more than the host: the other processor of that host is somebody else's."""
    source = NvidiaSource(url=prometheus, step=EVERY_SECONDS, external_url="https://p.example")
    found = await asked(source, question(session))
    assert sorted(found) == ["door", "engine"]
    engine = found["engine"]
    assert (engine.status, engine.facts["processors"]) == (Status.OK, "1")
    assert engine.facts["models"] == "NVIDIA H100 80GB HBM3"
    (xid,) = named(engine, XID)
    assert (xid.value, xid.labels) == (79, {"gpu": "0", "host": "node-1"})
    assert xid.at is not None
    assert ONSET <= xid.at <= ONSET + 2 * EVERY_SECONDS
    assert [each.value for each in named(engine, "temperature in degrees before")] == [60]
    assert engine.link.startswith("https://p.example/graph?")
    assert not named(found["door"], XID)


async def test_the_alerts_own_labels_name_a_host_too(
    prometheus: str, session: aiohttp.ClientSession
) -> None:
    """An alert of the node itself: no `up` of a component is there to join by."""
    about = replace(
        question(session, topology=Topology()),
        incident=incident({"alertname": "XidErrors", "Hostname": "node-3"}, fired_at=FIRED),
    )
    found = await asked(NvidiaSource(url=prometheus, step=EVERY_SECONDS), about)
    (errors,) = named(found["node-3"], "double-bit ECC errors")
    assert (errors.value, errors.unit) == (2, "count")


async def test_processors_of_nobody_here_are_not_told(
    prometheus: str, session: aiohttp.ClientSession
) -> None:
    """Empty, with how many there are."""
    topology = Topology(calls=(("shop", "cart"),))
    found = await asked(NvidiaSource(url=prometheus), question(session, topology=topology))
    assert found[""].status is Status.EMPTY
    assert found[""].detail.startswith("none of 4 processors")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (success({"resultType": "vector", "result": []}), Status.EMPTY),
        ({"status": "error", "errorType": "execution", "error": "too much"}, Status.FAILED),
        ([1], Status.FAILED),
    ],
)
async def test_what_a_prometheus_answers_otherwise_is_told(
    session: aiohttp.ClientSession, answer: object, status: Status
) -> None:
    """No series, an error inside a 200, another shape."""
    async with FarEnd(answers={"/api/v1/query": lambda _: answer}) as far:
        assert (await asked(NvidiaSource(url=far.url), question(session)))[""].status is status


async def test_one_that_hangs_or_answers_no_range_is_told(session: aiohttp.ClientSession) -> None:
    """Within the deadline."""
    labels = {"UUID": "GPU-1", "gpu": "0", "Hostname": 'a"}) or vector(1)', "service": "engine"}
    answers = {"/api/v1/query": lambda _: vector((labels, 1.0))}
    async with FarEnd(answers={"/api/v1/query": hang}) as far, asyncio.timeout(30):
        found = await asked(NvidiaSource(url=far.url), question(session, deadline_seconds=0.3))
        assert found[""].status is Status.UNAVAILABLE
    async with FarEnd(answers=answers) as far:
        found = await asked(NvidiaSource(url=far.url), question(session))
        assert [each.status for each in found.values()] == [Status.FAILED]


def test_every_series_is_read_through_gaps_resets_and_blanks() -> None:
    """DCGM's "no value" is none, a counter that falls is a driver that came anew."""
    times = np.arange(6.0)
    blank = float(0x7FFFFFFFFFFFFFF2)
    rows = {
        "DCGM_FI_DEV_XID_ERRORS": [31.0, np.nan, 31.0, 79.0, 0.0, 48.0],
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": [1.0, 4.0, np.nan, 0x40, 0x40, 0.0],
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": [5.0, 0.0, blank, 0.0, 1.0, 3.0],
        "DCGM_FI_DEV_GPU_TEMP": [blank] * 6,
        "DCGM_FI_DEV_THERMAL_VIOLATION": [0.0, 0.0, 7e12, 8e12, 9e12, 9e12],
    }
    assert set(rows) <= set(SERIES)
    found = [
        (each.name, each.value, each.at, each.labels.get("reason", ""))
        for name, values in rows.items()
        for each in quantities(name, np.array(values), times, 3.0, {"gpu": "0"})
    ]
    assert found == [
        (XID_BEFORE, 31, None, ""),
        (XID, 79, 3.0, ""),
        (XID, 48, 5.0, ""),
        (THROTTLED, 1, 3.0, "hardware thermal slowdown"),
        ("double-bit ECC errors", 3, 4.0, ""),
        (THROTTLED, 1, 2.0, "thermal limits"),
    ]
