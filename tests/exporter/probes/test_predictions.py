"""The kinds for KServe, TensorFlow Serving, TorchServe and MLflow: what is right there."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from exporter.prediction import Tolerance, difference, joined
from exporter.probe import probes
from exporter.probes.kserve_v1 import KServeV1
from exporter.probes.mlflow import Mlflow
from exporter.probes.tf_serving import TfServing
from exporter.probes.torchserve import TorchServe
from exporter.target import Reason
from tests.exporter.probes.speaking import Handler, asked, says

STATES = {"model_version_status": [{"version": "1", "state": "END"}]}
READY: dict[str, tuple[str, Any, Reason | None]] = {
    "kserve ready": ("kserve_v1", {"name": "m", "ready": True}, None),
    "kserve ready in text": ("kserve_v1", {"name": "m", "ready": "True"}, None),
    "kserve not ready": ("kserve_v1", {"name": "m", "ready": False}, Reason.WRONG_ANSWER),
    "tf available": ("tf_serving", {"model_version_status": [{"state": "AVAILABLE"}]}, None),
    "tf gone": ("tf_serving", STATES, Reason.WRONG_ANSWER),
    "torchserve": ("torchserve", {"status": "Healthy"}, None),
    "torchserve ill": ("torchserve", {"status": "Unhealthy"}, Reason.WRONG_ANSWER),
    "mlflow": ("mlflow", b"\n", None),
}


@pytest.mark.parametrize("case", READY)
async def test_without_canaries_the_state_is_asked(case: str) -> None:
    """Each server says in its own way that it is ready; MLflow's ping is no JSON."""
    kind, body, reason = READY[case]
    fields = {} if kind == "mlflow" else {"model": "m"}
    run = await asked(says(body), probes.get(kind), **fields)
    assert run.question.canary == "ready"
    assert run.reason is reason, run.detail


def predicts(answer: Any, seen: list[Any]) -> Handler:
    """Make a handler that keeps what it was sent."""

    async def handle(request: web.Request) -> web.StreamResponse:
        is_json = request.content_type == "application/json"
        seen.append(await request.json() if is_json else await request.text())
        return web.json_response(answer)

    return handle


@pytest.mark.parametrize(
    ("predictions", "reason"),
    [
        ([[0.5], [1.0]], None),
        ([[0.5001], [1.0]], None),
        ([[0.6], [1.0]], Reason.WRONG_ANSWER),
        ([["0.5"], [1.0]], Reason.WRONG_ANSWER),
        ([[0.5]], Reason.SCHEMA),
        ([], Reason.EMPTY),
    ],
)
@pytest.mark.parametrize("kind", [KServeV1, TfServing])
async def test_one_prediction_for_each_instance(
    kind: Any, predictions: list[Any], reason: Reason | None
) -> None:
    """As many predictions as instances, near the golden ones."""
    seen: list[Any] = []
    canary = {"name": "c", "instances": [[1], [2]], "expect": [[0.5], [1]]}
    routes = {"POST /v1/models/m:predict": predicts({"predictions": predictions}, seen)}
    run = await asked(routes, kind, model="m", canaries=[canary])
    assert run.reason is reason, run.detail
    assert seen == [{"instances": [[1], [2]]}]


async def test_tf_serving_takes_columns_signatures_and_labels() -> None:
    """`inputs` is answered by `outputs`, of the version that the label names."""
    seen: list[Any] = []
    routes = {"POST /v1/models/m/labels/stable:predict": predicts({"outputs": [2]}, seen)}
    canary = {"name": "c", "inputs": {"x": [1]}, "signature": "s", "expect": [2]}
    run = await asked(routes, TfServing, model="m", version_label="stable", canaries=[canary])
    assert run.reason is None, run.detail
    assert seen == [{"signature_name": "s", "inputs": {"x": [1]}}]


@pytest.mark.parametrize("allowed", [True, False])
async def test_tf_serving_nan_is_what_it_is(*, allowed: bool) -> None:
    """Bare NaN is counted; it is wrong unless it is allowed, and never called bad JSON."""
    body = says(b'{"predictions": [NaN]}')
    canary = {"name": "c", "instances": [1]}
    run = await asked(body, TfServing, model="m", allow_nonfinite=allowed, canaries=[canary])
    assert run.reason is (None if allowed else Reason.WRONG_ANSWER)
    assert run.observation.nonfinite_values == 1


async def test_torchserve_sends_text_as_it_is() -> None:
    """A text body is text, and a handler may answer with any JSON."""
    seen: list[Any] = []
    routes = {"POST /predictions/m/2": predicts({"cat": 0.9, "dog": 0.1}, seen)}
    canary = {"name": "c", "body": "a cat", "expect": {"cat": 0.9}}
    run = await asked(routes, TorchServe, model="m", version="2", canaries=[canary])
    assert run.reason is None, run.detail
    assert seen == ["a cat"]


async def test_torchserve_answer_may_be_bare_text() -> None:
    """Text that is no JSON is compared as text."""
    canary = {"name": "c", "body": {}, "expect": "tabby"}
    run = await asked(says(b"tabby"), TorchServe, model="m", canaries=[canary])
    assert run.reason is None, run.detail


async def test_mlflow_sends_one_form() -> None:
    """The form chosen and the parameters, nothing else."""
    seen: list[Any] = []
    split = {"columns": ["a"], "data": [[1]]}
    canary = {"name": "c", "dataframe_split": split, "params": {"k": 1}, "expect": [3]}
    routes = {"POST /invocations": predicts({"predictions": [3]}, seen)}
    run = await asked(routes, Mlflow, canaries=[canary])
    assert run.reason is None, run.detail
    assert seen == [{"dataframe_split": split, "params": {"k": 1}}]


@pytest.mark.parametrize(
    ("kind", "canary"),
    [
        (Mlflow, {"name": "c"}),
        (Mlflow, {"name": "c", "inputs": 1, "instances": 1}),
        (TfServing, {"name": "c"}),
        (TfServing, {"name": "c", "inputs": 1, "instances": [1]}),
    ],
)
def test_exactly_one_form_is_needed(kind: Any, canary: dict[str, Any]) -> None:
    """None, or two, is refused when the file is read."""
    fields = {"model": "m"} if kind is TfServing else {}
    with pytest.raises(ValidationError, match="exactly one form"):
        kind(canaries=[canary], **fields)


@pytest.mark.parametrize("kind", ["oip", "kserve_v1", "tf_serving", "torchserve", "mlflow"])
def test_canary_names_are_apart(kind: str) -> None:
    """Two canaries of one name are refused."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}
    forms: dict[str, dict[str, Any]] = {"oip": {"inputs": [tensor]}, "torchserve": {"body": 1}}
    own = forms.get(kind, {"instances": [1]})
    fields: dict[str, Any] = {"canaries": [{"name": "c", **own}] * 2}
    model: Any = probes.get(kind)
    with pytest.raises(ValidationError, match="two canaries are named"):
        model(**fields, **({} if kind == "mlflow" else {"model": "m"}))


@pytest.mark.parametrize(
    ("golden", "got", "where"),
    [
        ({"a": [1, {"b": "x"}]}, {"a": [1.0005, {"b": "x", "c": 1}]}, None),
        ({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}, "$.a[1].b"),
        ([1], [1, 2], "$"),
        (1, True, "$"),
        (True, True, None),
        (1.0, float("nan"), "$"),
        (10**400, 10**400, None),
        (1.0, 10**400, "$"),
        ({}, [], "$"),
    ],
)
def test_difference_says_where(golden: Any, got: Any, where: str | None) -> None:
    """The first place that leaves the golden answer is named."""
    assert difference(golden, got, Tolerance()) == where


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("http://h", "http://h/v2/models/m"),
        ("http://h/", "http://h/v2/models/m"),
        ("http://h/v2", "http://h/v2/models/m"),
        ("http://h/edge/v2/models?k=1", "http://h/edge/v2/models/m?k=1"),
        ("http://h/v2/models/m", "http://h/v2/models/m"),
    ],
)
def test_path_is_not_doubled(url: str, whole: str) -> None:
    """However much of the path the url has, it is there once."""
    assert joined(url, "v2/models/m") == whole
