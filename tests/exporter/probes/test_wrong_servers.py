"""What all the kinds over JSON make of a server that is not one of theirs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from exporter.probe import probes
from exporter.target import Reason
from tests.exporter.probes.speaking import Handler, asked, says

ROWS: dict[str, Any] = {"canaries": [{"name": "c", "instances": [1]}]}
TENSOR = {"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}
KINDS: dict[str, dict[str, Any]] = {
    "oip": {"model": "m", "canaries": [{"name": "c", "inputs": [TENSOR]}]},
    "kserve_v1": {"model": "m", **ROWS},
    "tf_serving": {"model": "m", **ROWS},
    "torchserve": {"model": "m", "canaries": [{"name": "c", "body": {}, "expect": {"a": 1}}]},
    "mlflow": ROWS,
    "triton_generate": {"model": "m", "stream": False},
    "json": {"body": {}},
}


async def late(_request: web.Request) -> web.StreamResponse:
    """Answer after everyone has gone."""
    await asyncio.sleep(0.5)
    return web.Response()


SERVERS: dict[str, tuple[Handler, Reason]] = {
    "empty": (says(b""), Reason.EMPTY),
    "blank": (says(b" \n"), Reason.EMPTY),
    "no JSON": (says(b"<html>"), Reason.BAD_JSON),
    "half JSON": (says(b'{"predictions": [1'), Reason.BAD_JSON),
    "no UTF-8": (says(b"\xff\xfe"), Reason.BAD_JSON),
    "deep": (says(b"[" * 50_000), Reason.BAD_JSON),
    "NaN": (says(b'{"predictions": [NaN, -Infinity, 1e999]}'), Reason.WRONG_ANSWER),
    "401": (says({}, 401), Reason.AUTH),
    "404": (says({"error": "no such model"}, 404), Reason.HTTP_4XX),
    "429": (says({}, 429), Reason.RATE_LIMITED),
    "500": (says({}, 500), Reason.HTTP_5XX),
    "302": (says(b"", 302), Reason.REDIRECT),
    "late": (late, Reason.TIMEOUT_TOTAL),
}
MISREAD = {("torchserve", name) for name in ("no JSON", "half JSON", "no UTF-8", "deep")}
"""Text is an answer there, and another than the golden one."""


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", KINDS)
async def test_wrong_server_has_its_reason(kind: str, server: str) -> None:
    """Each failure is told by its own reason, and none breaks the run."""
    handler, reason = SERVERS[server]
    fields = {**KINDS[kind], "timeout": 0.2 if server == "late" else 5.0}
    run = await asked(handler, probes.get(kind), **fields)
    expected = Reason.WRONG_ANSWER if (kind, server) in MISREAD else reason
    assert run.reason is expected, run.detail
    assert run.detail
    if server == "NaN":
        assert run.observation.nonfinite_values == 3


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"json", "torchserve"}])
@pytest.mark.parametrize("body", [{}, [], None, 1, "text", {"predictions": None}, {"outputs": 1}])
async def test_other_json_is_no_answer(kind: str, body: Any) -> None:
    """JSON of another shape is a schema fault."""
    run = await asked(says(body), probes.get(kind), **KINDS[kind])
    assert run.reason in {Reason.SCHEMA, Reason.EMPTY}, run.detail


REFUSALS: dict[str, tuple[Handler, Reason | None]] = {
    "400 with an error": (says({"error": "no"}, 400), None),
    "422 with a detail": (says({"detail": [{"msg": "no"}]}, 422), None),
    "400 with a message": (says({"error_code": "BAD", "message": "no"}, 400), None),
    "400 without an error": (says(b"", 400), Reason.SCHEMA),
    "400 in HTML": (says(b"<html>", 400), Reason.SCHEMA),
    "taken": (says({"predictions": [1]}), Reason.WRONG_ANSWER),
    "breaks": (says({"error": "trace"}, 500), Reason.HTTP_5XX),
    "not there": (says({"error": "no"}, 404), Reason.HTTP_4XX),
    "forbidden": (says({"error": "no"}, 403), Reason.AUTH),
}


@pytest.mark.parametrize("server", REFUSALS)
@pytest.mark.parametrize("kind", ["oip", "kserve_v1", "tf_serving", "mlflow"])
async def test_malformed_must_be_refused(kind: str, server: str) -> None:
    """The malformed canary is right when a 4xx says why."""
    handler, reason = REFUSALS[server]
    run = await asked(handler, probes.get(kind), "malformed", **KINDS[kind])
    assert run.reason is reason, run.detail
    assert run.question.optional
