"""The scorer and the feature service: the protocol, the model, one's failure in the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.components import features, scorer
from lab.components.features import COLUMNS, features_of
from tests.lab.servers import Served, Servers

INFER = "/v2/models/fraud/infer"


@pytest.fixture
async def feature_server(servers: Servers) -> Served:
    """Serve features."""
    return await servers.serve(features)


@pytest.fixture
async def server(servers: Servers, feature_server: Served) -> Served:
    """Serve the scorer, with features behind it."""
    assert servers.addresses["features:8003"] == feature_server.address
    return await servers.serve(scorer)


def asking(*entities: str, amount: float = 10.0) -> dict[str, Any]:
    """Return an inference request for these entities."""
    shape = [len(entities)]
    return {
        "id": "q-1",
        "inputs": [
            {"name": "entity_id", "datatype": "BYTES", "shape": shape, "data": list(entities)},
            {"name": "amount", "datatype": "FP64", "shape": shape, "data": [amount] * shape[0]},
        ],
    }


async def test_features_are_the_same_each_time(feature_server: Served) -> None:
    """An entity's columns are numbers within their ranges, and do not change."""
    for _ in range(2):
        body = await (await feature_server.client.get("/features/customer-7")).json()
        assert body == {"id": "customer-7", "features": features_of("customer-7")}
    assert all(0 <= body["features"][name] <= top for name, top in COLUMNS.items())


async def test_a_broken_version_leaves_a_column_out_for_most(feature_server: Served) -> None:
    """Nine answers in ten lack the column, and all of them are 200."""
    feature_server.component.dials.turn({"missing_column": "chargeback_ratio"})
    answers = [await feature_server.client.get("/features/a") for _ in range(20)]
    assert {answer.status for answer in answers} == {200}
    whole = ["chargeback_ratio" in (await answer.json())["features"] for answer in answers]
    assert sum(whole) == 2


async def test_a_name_that_is_no_entity_is_refused(feature_server: Served) -> None:
    """Names are bounded and printable."""
    for name in ("a" * 65, "%07"):
        assert (await feature_server.client.get(f"/features/{name}")).status == 400


async def test_a_score_is_the_models(server: Served) -> None:
    """The answer echoes the id and gives the model's own probability for each entity."""
    response = await server.client.post(INFER, json=asking("a", "b", amount=50.0))
    body = await response.json()
    rows = [[50.0, *(features_of(name)[c] for c in scorer.COLUMNS)] for name in ("a", "b")]
    assert response.status == 200
    assert (body["id"], body["model_name"], body["model_version"]) == ("q-1", "fraud", "1")
    assert body["outputs"][0]["data"] == scorer.probabilities(np.array(rows))
    assert body["outputs"][0]["shape"] == [2]
    assert set(body["outputs"][1]["data"]) <= {"accept", "review"}


def test_risk_raises_the_probability() -> None:
    """More chargebacks mean a higher score, always between 0 and 1."""
    low, high = scorer.probabilities(
        np.array([[10.0, 1000, 5, 0.0, 0.5], [10.0, 1000, 5, 0.2, 0.5]])
    )
    assert 0 < low < high < 1
    assert scorer.probabilities(np.array([[1e300, 0, 0, 0, 0]])) == [1.0]


async def test_health_and_metadata(server: Served) -> None:
    """The protocol's other paths answer, with and without a version."""
    for path, key in (
        ("/v2/health/live", "live"),
        ("/v2/health/ready", "ready"),
        ("/v2", "name"),
        ("/v2/models/fraud", "inputs"),
        ("/v2/models/fraud/ready", "ready"),
        ("/v2/models/fraud/versions/1", "inputs"),
    ):
        response = await server.client.get(path)
        assert response.status == 200
        assert key in await response.json()
    assert (await server.client.get("/v2/models/other")).status == 404
    assert (await server.client.get("/v2/models/fraud/versions/9")).status == 404


async def test_a_missing_column_is_the_scorers_500(server: Served, feature_server: Served) -> None:
    """The scorer's error names the column that features did not send; features looks well."""
    feature_server.component.dials.turn({"missing_column": "chargeback_ratio"})
    response = await server.client.post(INFER, json=asking("a"))
    assert response.status == 500
    assert await response.json() == {"error": "features of a: no column chargeback_ratio"}
    seen = await server.metrics()
    assert seen['upstream_requests_total{code="200",peer="features"}'] == 1
    feature_server.component.dials.turn({})
    assert (await server.client.post(INFER, json=asking("a"))).status == 200


async def test_slow_features_make_a_slow_right_score(
    server: Served, feature_server: Served
) -> None:
    """The scorer waits for features, and its metrics say for whom it waited."""
    feature_server.component.dials.turn({"delay_seconds": 0.3})
    response = await server.client.post(INFER, json=asking("a"))
    assert response.status == 200
    seen = await server.metrics()
    waited = seen['upstream_request_duration_seconds_sum{peer="features"}']
    whole = seen[
        f'http_request_duration_seconds_sum{{handler="{INFER.replace("fraud", "{model}")}"}}'
    ]
    assert 0.3 <= waited <= whole


async def test_without_features_there_is_no_score(server: Served, feature_server: Served) -> None:
    """A peer that is gone is 503, in the protocol's error form."""
    await feature_server.client.close()
    response = await server.client.post(INFER, json=asking("a"))
    assert response.status == 503
    assert (await response.json())["error"].startswith("features: ")


def broken(**fields: Any) -> dict[str, Any]:
    """Return a request whose first input has other fields."""
    body = asking("a")
    body["inputs"][0] |= fields
    return body


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"inputs": []},
        {"inputs": "x"},
        {"inputs": [{"name": "amount", "datatype": "FP64", "shape": [1], "data": [1.0]}]},
        broken(datatype="FP8"),
        broken(shape=[]),
        broken(shape=[2]),
        broken(shape=[-1]),
        broken(shape=[1e300, 1e300]),
        broken(data=[7]),
        broken(data=[["a", ["b"]]]),
        broken(data=["a"] * 17, shape=[17]),
        broken(data=[], shape=[0]),
        broken(data=["a", "b"], shape=[2]),
        {**asking("a"), "id": "x" * 200},
    ],
    ids=range(16),
)
async def test_bad_requests_are_refused(server: Served, body: Any) -> None:
    """A wrong shape, type or name is a 400 with a text, never a 500."""
    response = await server.client.post(INFER, json=body)
    assert response.status == 400
    assert set(await response.json()) == {"error"}


async def test_an_entity_cannot_reach_another_path(server: Served) -> None:
    """Slashes, dots and questions in a name stay in the name."""
    for name in ("../metrics", "..", "a?b=c", "%2e%2e/health", "a#b"):
        response = await server.client.post(INFER, json=asking(name))
        assert response.status in {200, 502}
