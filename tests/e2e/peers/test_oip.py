"""The kinds oip and oip_grpc against MLServer, which others wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from exporter.inference import Inference
from exporter.probes.oip import Oip
from exporter.probes.oip_grpc import OipGrpc
from exporter.run import Run, perform
from exporter.target import Reason
from exporter.transport import open_transport
from tests.e2e.peers.environments import environment
from tests.e2e.peers.servers import MLSERVER, mlserver

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

INPUT = {"name": "x", "datatype": "FP64", "shape": [1, 4], "data": [[5.1, 3.5, 1.4, 0.2]]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mapping[str, str]]:
    """Run MLServer over its small model; yield its addresses (rest, grpc, metrics)."""
    lock = Path(__file__).parent / "mlserver.lock"
    folder = tmp_path_factory.mktemp("oip") / MLSERVER
    server, addresses = mlserver(environment(MLSERVER, lock, cache), folder)
    await server.start()
    try:
        yield addresses
    finally:
        await server.stop()


@pytest.fixture
def rest(served: Mapping[str, str]) -> str:
    """Return the address of its REST side."""
    return f"http://{served['rest']}"


async def asked(url: str, name: str, kind: type[Inference] = Oip, **fields: Any) -> Run:
    """Ask MLServer one canary once."""
    target = kind(**{"name": "t", "url": url, "model": "fraud", "timeout": 5.0, **fields})
    question = next(each for each in target.questions() if each.canary == name)
    async with open_transport() as transport:
        return await perform(target, question, transport)


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


async def test_grpc_is_told_as_rest_is(served: Mapping[str, str]) -> None:
    """Readiness, the golden answer, another, and what is refused, over gRPC."""
    url = f"http://{served['grpc']}"
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
