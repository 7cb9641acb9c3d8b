"""The kind oip: metadata, ids, shapes, golden outputs, against a server that can do each wrong."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from exporter.probes.oip import Oip
from exporter.target import Reason
from tests.exporter.probes.speaking import Handler, asked, says

INPUTS = [
    {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
    {"name": "who", "datatype": "BYTES", "shape": [-1]},
]
OUTPUTS = [{"name": "score", "datatype": "FP64", "shape": [-1, 1]}]
METADATA = {"name": "m", "versions": ["1"], "inputs": INPUTS, "outputs": OUTPUTS}
SCORE: dict[str, Any] = {"name": "score", "datatype": "FP64", "shape": [1, 1], "data": [0.25]}
OWN: dict[str, Any] = {
    "canaries": [
        {
            "name": "own",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [[1, 2]]}],
            "expect": {"score": [[0.25]]},
            "tolerance": {"absolute": 0.01, "relative": 0},
        }
    ]
}


def infers(*, seen: list[Any] | None = None, **changes: Any) -> Handler:
    """Make a handler that answers as the protocol says, but for the changes."""

    async def infer(request: web.Request) -> web.StreamResponse:
        asked_for = await request.json()
        if seen is not None:
            seen.append(asked_for)
        right = {"model_name": "m", "model_version": "1", "id": asked_for.get("id")}
        body = {**right, "outputs": [SCORE], **changes}
        known = {"BYTES", "FP32"}
        if not {each["datatype"] for each in asked_for["inputs"]} <= known:
            return web.json_response({"error": "unexpected datatype"}, status=400)
        return web.json_response(body)

    return infer


def serving(metadata: Any = METADATA, **changes: Any) -> dict[str, Handler]:
    """Make the routes of a server."""
    return {
        "GET /v2/models/m": metadata if callable(metadata) else says(metadata),
        "POST /v2/models/m/infer": infers(**changes),
    }


async def test_metadata_makes_a_valid_canary() -> None:
    """The inputs that the metadata names are sent, open dimensions 1 long, under a fresh id."""
    seen: list[Any] = []
    for _ in range(2):
        run = await asked(serving(seen=seen), Oip, model="m")
        assert run.reason is None, run.detail
    first, second = seen
    assert first["id"] != second["id"]
    assert [each["shape"] for each in first["inputs"]] == [[1, 2], [1]]
    assert [each["data"] for each in first["inputs"]] == [[1.0, 1.0], ["a"]]
    assert (run.observation.served_model, run.observation.version) == ("m", "1")


async def test_malformed_canary_comes_from_metadata_too() -> None:
    """A datatype that is none is refused, and that is right."""
    seen: list[Any] = []
    run = await asked(serving(seen=seen), Oip, "malformed", model="m")
    assert run.reason is None, run.detail
    assert seen[0]["inputs"][0]["datatype"] == "MALFORMED"


async def test_malformed_shape_is_taken_wrongly() -> None:
    """A shape that the data does not fill has another rank; a server that takes it is wrong."""
    seen: list[Any] = []
    run = await asked(serving(seen=seen), Oip, "malformed", model="m", malformed="shape", **OWN)
    assert run.reason is Reason.WRONG_ANSWER
    assert seen[0]["inputs"][0]["shape"] == [1, 2, 2]


WRONG: dict[str, tuple[dict[str, Any], Reason]] = {
    "another id": ({"id": "x"}, Reason.WRONG_ANSWER),
    "no id": ({"id": None}, Reason.WRONG_ANSWER),
    "no outputs": ({"outputs": []}, Reason.EMPTY),
    "another output": ({"outputs": [{**SCORE, "name": "other"}]}, Reason.SCHEMA),
    "another datatype": ({"outputs": [{**SCORE, "datatype": "FP32"}]}, Reason.SCHEMA),
    "another rank": ({"outputs": [{**SCORE, "shape": [1]}]}, Reason.SCHEMA),
    "shape belied": ({"outputs": [{**SCORE, "data": [1, 2]}]}, Reason.SCHEMA),
    "text": ({"outputs": [{**SCORE, "data": ["a"]}]}, Reason.SCHEMA),
    "maps": ({"outputs": [{**SCORE, "data": [{}]}]}, Reason.SCHEMA),
    "null": ({"outputs": [{**SCORE, "data": [None]}]}, Reason.WRONG_ANSWER),
    "no data": ({"outputs": [{**SCORE, "data": None}]}, Reason.SCHEMA),
    "negative shape": ({"outputs": [{**SCORE, "shape": [-1, -1]}]}, Reason.SCHEMA),
    "tensor of a type that is none": ({"outputs": [{**SCORE, "datatype": "X"}]}, Reason.SCHEMA),
}


@pytest.mark.parametrize("fault", WRONG)
async def test_wrong_answer_has_its_reason(fault: str) -> None:
    """An id that is not ours, an output that is not as metadata says, data that is no number."""
    changes, reason = WRONG[fault]
    run = await asked(serving(**changes), Oip, model="m")
    assert run.reason is reason, run.detail


@pytest.mark.parametrize(
    ("data", "reason"),
    [([0.259], None), ([[0.25]], None), ([0.27], Reason.WRONG_ANSWER), ([True], Reason.SCHEMA)],
)
async def test_golden_output_has_a_tolerance(data: list[Any], reason: Reason | None) -> None:
    """A number within the tolerance is right, nested or flat, and needs no metadata."""
    changes = {"outputs": [{**SCORE, "data": data}]}
    run = await asked(serving(says({}, 500), **changes), Oip, model="m", **OWN)
    assert run.reason is reason, run.detail


METADATAS: dict[str, tuple[Any, Reason]] = {
    "no inputs": ({**METADATA, "inputs": []}, Reason.EMPTY),
    "no JSON": (says(b"x"), Reason.BAD_JSON),
    "404": (says({"error": "no"}, 404), Reason.HTTP_4XX),
    "503": (says({"error": "no"}, 503), Reason.HTTP_5XX),
    "bomb": ({"inputs": [{**INPUTS[0], "shape": [1 << 20, 1 << 20]}]}, Reason.SCHEMA),
    "no shape": ({"inputs": [{"name": "x", "datatype": "FP32"}]}, Reason.SCHEMA),
    "no outputs": ({"inputs": INPUTS}, Reason.SCHEMA),
}


@pytest.mark.parametrize("fault", METADATAS)
async def test_metadata_that_is_none_is_said(fault: str) -> None:
    """Without usable metadata there is nothing to send, and the run says so."""
    metadata, reason = METADATAS[fault]
    run = await asked(serving(metadata), Oip, model="m")
    assert run.reason is reason, run.detail


async def test_version_and_prefix_are_in_the_path() -> None:
    """A gateway's prefix stays, and names are one segment each."""
    routes = {"POST /edge/v2/models/a%2Fb/versions/3/infer": infers()}
    run = await asked(routes, _edge, model="a/b", version="3", **OWN)
    assert run.reason is None, run.detail


def _edge(url: str, **fields: Any) -> Oip:
    return Oip(url=f"{url}edge/v2/", **fields)


def test_canary_that_does_not_fill_its_shape_is_refused() -> None:
    """The configuration is read strictly."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [2], "data": [1.0]}
    with pytest.raises(ValidationError, match="do not fill the shape"):
        Oip(model="m", canaries=[{"name": "c", "inputs": [tensor]}])
    with pytest.raises(ValidationError, match="question of our own"):
        Oip(model="m", canaries=[{"name": "malformed", "inputs": [tensor]}])
