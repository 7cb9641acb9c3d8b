"""The kind mlflow against MLflow's scoring server, which has no metrics of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from exporter.probes.mlflow import Mlflow
from exporter.target import Reason
from lab.stack.process import Process
from tests.e2e.peers.asking import asked, falls, target_of
from tests.e2e.peers.environments import environment
from tests.e2e.peers.servers import MLFLOW, mlflow, running

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="module")]

FORMS: dict[str, Any] = {
    "dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]},
    "dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": 4}],
    "inputs": {"a": [1, 3], "b": [2, 4]},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(
    cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Process, str]]:
    """Run the server; yield it and its address."""
    folder = tmp_path_factory.mktemp("peers") / MLFLOW
    server, address = mlflow(environment(MLFLOW, cache), folder)
    async with running(server):
        yield server, f"http://{address}"


@pytest.fixture
def url(started: tuple[Process, str]) -> str:
    """Return its address."""
    return started[1]


async def test_ping(url: str) -> None:
    """Without canaries the server is asked whether it has its model."""
    run = await asked(Mlflow, url)
    assert run.reason is None, run.detail


@pytest.mark.parametrize("form", FORMS)
async def test_each_form_is_answered(url: str, form: str) -> None:
    """Frames by columns and by rows, and columns by name: the same rows, the same sums."""
    canary = {"name": "rows", form: FORMS[form]}
    run = await asked(Mlflow, url, canaries=[{**canary, "expect": [3, 7]}])
    assert run.reason is None, run.detail
    run = await asked(Mlflow, url, canaries=[{**canary, "expect": [3, 8]}])
    assert run.reason is Reason.WRONG_ANSWER


async def test_malformed_is_refused(url: str) -> None:
    """A request in none of the forms is refused with its reason."""
    canary = {"name": "rows", "inputs": FORMS["inputs"]}
    run = await asked(Mlflow, url, "malformed", canaries=[canary])
    assert (run.reason, run.observation.status_code) == (None, 400)


async def test_it_falls(started: tuple[Process, str]) -> None:
    """It stands still, goes on, and is killed: the last test, since it is gone after it."""
    server, url = started
    canary = {"name": "rows", "inputs": FORMS["inputs"], "expect": [3, 7]}
    await falls(server, target_of(Mlflow, url, canaries=[canary], malformed=False))
