"""The kinds oip and oip_grpc against Triton, as pytriton brings it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from exporter.probes.oip import Oip
from exporter.probes.oip_grpc import OipGrpc
from exporter.target import Native, Reason
from lab.stack.process import Process
from tests.e2e.peers.asking import Kind, asked, falls, target_of, whole_page
from tests.e2e.peers.environments import triton_environment
from tests.e2e.peers.servers import Addresses, running, triton

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

KINDS = [(Oip, "rest"), (OipGrpc, "grpc")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Process, Addresses]]:
    """Run Triton; yield it and its addresses (rest, grpc, metrics)."""
    server, addresses = triton(triton_environment(cache), tmp_path_factory.mktemp("peers") / "t")
    async with running(server):
        yield server, {name: f"http://{address}" for name, address in addresses.items()}


@pytest.fixture
def served(started: tuple[Process, Addresses]) -> Addresses:
    """Return its addresses."""
    return started[1]


@pytest.mark.parametrize(("kind", "side"), KINDS)
async def test_metadata_is_enough(served: Addresses, kind: Kind, side: str) -> None:
    """Triton names its inputs, so that nothing has to be configured; 1 and 1 are 2."""
    run = await asked(kind, served[side], model="sums")
    assert run.reason is None, run.detail
    assert run.observation.document["outputs"][0]["data"] == [2.0]
    assert (run.observation.served_model, run.observation.version) == ("sums", "1")
    assert (await asked(kind, served[side], model="none")).reason is Reason.HTTP_4XX


@pytest.mark.parametrize(("kind", "side"), KINDS)
async def test_malformed_is_refused(served: Addresses, kind: Kind, side: str) -> None:
    """A datatype that is none is refused, and so is a version that is not there."""
    run = await asked(kind, served[side], "malformed", model="sums")
    assert (run.reason, run.observation.status_code) == (None, 400)
    run = await asked(kind, served[side], model="sums", version="9")
    assert run.reason in {Reason.HTTP_4XX, Reason.HTTP_5XX}


async def test_readiness_over_grpc(served: Addresses) -> None:
    """Server and model say that they are ready."""
    run = await asked(OipGrpc, served["grpc"], model="sums", infer=False)
    assert run.reason is None, run.detail


async def test_native_names(served: Addresses) -> None:
    """The row's names are on the page, and an inference moves what stands for progress."""
    native = Native(url=f"{served['metrics']}/metrics", server="triton")
    before = await whole_page(native)
    assert (await asked(Oip, served["rest"], model="sums")).reason is None
    after = await whole_page(native)
    assert before.progress != after.progress
    assert after.waiting == 0


async def test_it_falls(started: tuple[Process, Addresses]) -> None:
    """It stands still, goes on, and is killed: the last test, since it is gone after it."""
    server, addresses = started
    rest, grpc = (target_of(kind, addresses[side], model="sums") for kind, side in KINDS)
    await falls(server, rest, grpc)
