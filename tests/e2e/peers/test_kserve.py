"""The kinds kserve_v1, oip and oip_grpc against KServe's Python server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from exporter.probes.kserve_v1 import KServeV1
from exporter.probes.oip import Oip
from exporter.probes.oip_grpc import OipGrpc
from exporter.target import Native, Reason
from lab.stack.process import Process
from tests.e2e.peers.asking import Kind, asked, falls, target_of, whole_page
from tests.e2e.peers.environments import environment
from tests.e2e.peers.servers import KSERVE, Addresses, kserve, running

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

ROWS: dict[str, Any] = {"name": "rows", "instances": [[1, 2], [3, 4]]}
TENSOR: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [[1.0, 2.0]]}
V2 = [(Oip, "rest"), (OipGrpc, "grpc")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Process, Addresses]]:
    """Run the server; yield it and its addresses (rest, grpc)."""
    folder = tmp_path_factory.mktemp("peers") / KSERVE
    server, addresses = kserve(environment(KSERVE, cache), folder)
    async with running(server):
        yield server, {name: f"http://{address}" for name, address in addresses.items()}


@pytest.fixture
def served(started: tuple[Process, Addresses]) -> Addresses:
    """Return its addresses."""
    return started[1]


async def test_v1_predictions(served: Addresses) -> None:
    """Readiness, the golden answer, another, and a request that is refused, over V1."""
    url = served["rest"]
    assert (await asked(KServeV1, url, model="sums")).reason is None
    run = await asked(KServeV1, url, model="sums", canaries=[{**ROWS, "expect": [3, 7]}])
    assert run.reason is None, run.detail
    run = await asked(KServeV1, url, model="sums", canaries=[{**ROWS, "expect": [3, 8]}])
    assert run.reason is Reason.WRONG_ANSWER
    run = await asked(KServeV1, url, "malformed", model="sums", canaries=[ROWS])
    assert (run.reason, run.observation.status_code) == (None, 400)
    assert (await asked(KServeV1, url, model="none")).reason is Reason.HTTP_4XX


@pytest.mark.parametrize(("kind", "side"), V2)
async def test_v2_inferences(served: Addresses, kind: Kind, side: str) -> None:
    """Metadata's own canary, a golden one, and a request that is refused, over V2."""
    url = served[side]
    run = await asked(kind, url, model="sums")
    assert run.reason is None, run.detail
    assert (run.observation.served_model, run.observation.version) == ("sums", "7")
    canary = {"name": "rows", "inputs": [TENSOR]}
    run = await asked(kind, url, model="sums", canaries=[{**canary, "expect": {"sum": [3]}}])
    assert run.reason is None, run.detail
    run = await asked(kind, url, model="sums", canaries=[{**canary, "expect": {"sum": [4]}}])
    assert run.reason is Reason.WRONG_ANSWER
    run = await asked(kind, url, "malformed", model="sums")
    assert run.reason is None, run.detail
    assert (await asked(kind, url, model="none")).reason is Reason.HTTP_4XX


async def test_native_names(served: Addresses) -> None:
    """The row's names are on the page, and an inference moves what stands for progress."""
    native = Native(url=f"{served['rest']}/metrics", server="kserve")
    before = await whole_page(native)
    assert (await asked(Oip, served["rest"], model="sums")).reason is None
    after = await whole_page(native)
    assert before.progress != after.progress


async def test_it_falls(started: tuple[Process, Addresses]) -> None:
    """It stands still, goes on, and is killed: the last test, since it is gone after it."""
    server, addresses = started
    one = {"model": "sums", "malformed": False}
    v1 = target_of(KServeV1, addresses["rest"], **one, canaries=[ROWS])
    await falls(server, v1, *(target_of(kind, addresses[side], model="sums") for kind, side in V2))
