"""The kinds oip and oip_grpc against MLServer, which others wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from exporter.probes.oip import Oip
from exporter.probes.oip_grpc import OipGrpc
from exporter.run import Run
from exporter.target import Native, Reason
from lab.stack.process import Process
from tests.e2e.peers import asking
from tests.e2e.peers.asking import Kind, falls, target_of, whole_page
from tests.e2e.peers.environments import environment
from tests.e2e.peers.servers import MLSERVER, Addresses, mlserver, running

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

INPUT = {"name": "x", "datatype": "FP64", "shape": [1, 4], "data": [[5.1, 3.5, 1.4, 0.2]]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Process, Addresses]]:
    """Run MLServer over its small model; yield it and its addresses (rest, grpc, metrics)."""
    folder = tmp_path_factory.mktemp("oip") / MLSERVER
    server, addresses = mlserver(environment(MLSERVER, cache), folder)
    async with running(server):
        yield server, {name: f"http://{address}" for name, address in addresses.items()}


@pytest.fixture
def served(started: tuple[Process, Addresses]) -> Addresses:
    """Return its addresses."""
    return started[1]


@pytest.fixture
def rest(served: Addresses) -> str:
    """Return the address of its REST side."""
    return served["rest"]


async def asked(url: str, name: str, kind: Kind = Oip, **fields: Any) -> Run:
    """Ask MLServer one canary once."""
    return await asking.asked(kind, url, name, model=fields.pop("model", "fraud"), **fields)


def canary(predicted: int) -> dict[str, Any]:
    """Return the settings of one canary and its golden answer."""
    golden = {"predict": [predicted]}
    return {"canaries": [{"name": "rows", "inputs": [INPUT], "expect": golden}]}


async def test_golden_answer_is_right_and_another_is_not(rest: str) -> None:
    """The id comes back, the output is what its shape says, and its value is held."""
    run = await asked(rest, "rows", **canary(0))
    assert run.reason is None, run.detail
    assert (run.observation.served_model, run.observation.version) == ("fraud", "v1")
    assert (await asked(rest, "rows", **canary(1))).reason is Reason.WRONG_ANSWER


async def test_malformed_input_is_refused(rest: str) -> None:
    """A datatype that is none is refused; data that does not fill its shape breaks MLServer."""
    run = await asked(rest, "malformed", **canary(0))
    assert (run.reason, run.observation.status_code) == (None, 422)
    run = await asked(rest, "malformed", malformed="shape", **canary(0))
    assert run.reason is Reason.HTTP_5XX


async def test_model_without_metadata_or_not_there_is_said(rest: str) -> None:
    """MLServer names no inputs of a scikit-learn model; a model that is not there is a 404."""
    run = await asked(rest, "valid")
    assert (run.reason, run.detail[:9]) == (Reason.EMPTY, "metadata:")
    run = await asked(rest, "valid", model="none")
    assert run.reason is Reason.HTTP_4XX


async def test_grpc_is_told_as_rest_is(served: Addresses) -> None:
    """Readiness, the golden answer, another, and what is refused, over gRPC."""
    url = served["grpc"]
    run = await asked(url, "ready", OipGrpc, infer=False)
    assert run.reason is None, run.detail
    run = await asked(url, "rows", OipGrpc, **canary(0))
    assert run.reason is None, run.detail
    assert (run.observation.served_model, run.observation.version) == ("fraud", "v1")
    assert (await asked(url, "rows", OipGrpc, **canary(1))).reason is Reason.WRONG_ANSWER
    run = await asked(url, "malformed", OipGrpc, **canary(0))
    assert (run.reason, run.observation.status_code) == (None, 500)
    run = await asked(url, "valid", OipGrpc)
    assert (run.reason, run.detail[:9]) == (Reason.EMPTY, "metadata:")
    run = await asked(url, "valid", OipGrpc, model="none")
    assert (run.reason, run.observation.status_code) == (Reason.HTTP_4XX, 404)
    assert "NOT_FOUND" in run.detail


async def test_native_names(served: Addresses) -> None:
    """The row's names are on the page, and an inference moves what stands for progress."""
    native = Native(url=f"{served['metrics']}/metrics", server="mlserver")
    assert (await asked(served["rest"], "rows", **canary(0))).reason is None
    before = await whole_page(native)
    assert (await asked(served["rest"], "rows", **canary(0))).reason is None
    assert before.progress != (await whole_page(native)).progress


async def test_it_falls(started: tuple[Process, Addresses]) -> None:
    """It stands still, goes on, and is killed: the last test, since it is gone after it."""
    server, addresses = started
    sides = ((Oip, "rest"), (OipGrpc, "grpc"))
    one = {"model": "fraud", **canary(0)}
    await falls(server, *(target_of(kind, addresses[side], **one) for kind, side in sides))
