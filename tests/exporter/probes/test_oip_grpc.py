"""The kind oip_grpc, against a real gRPC server that can do each thing wrong."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import grpc
import pytest
from pydantic import ValidationError

from exporter.headers import Headers
from exporter.probes.oip_grpc import OipGrpc
from exporter.protobuf import Message, packed, text
from exporter.target import Reason
from tests.exporter.probes.calling import OWN, Handler, answer, asked, is_not_ready


async def test_metadata_makes_a_valid_canary() -> None:
    """Two calls: what the inputs are, and an inference whose outputs are as the metadata says."""
    run = await asked(fields={})
    assert run.reason is None, run.detail
    assert (run.observation.served_model, run.observation.version) == ("m", "1")
    assert run.exchange is not None
    assert {"connect", "processing"} <= set(run.exchange.times.phases())
    assert len(run.exchange.earlier) == 1
    assert '"score"' in run.observation.answer


async def test_golden_answer_and_malformed_canary() -> None:
    """The golden value is held, and a datatype that is none must be refused."""
    assert (await asked("own")).reason is None
    run = await asked("malformed")
    assert (run.reason, run.observation.status_code) == (None, 400)

    async def takes_all(request: Message, _context: Any) -> bytes:
        return answer(request)

    async def breaks(_request: Message, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.UNKNOWN, "KeyError: MALFORMED")
        return b""

    assert (await asked("malformed", ModelInfer=takes_all)).reason is Reason.WRONG_ANSWER
    assert (await asked("malformed", ModelInfer=breaks)).reason is None


def gives(**changes: Any) -> Handler:
    """Make a handler whose answer is changed so."""

    async def handle(request: Message, _context: Any) -> bytes:
        return answer(request, **changes)

    return handle


async def gives_no_message(_request: Message, _context: Any) -> bytes:
    """Return bytes that are no message."""
    return b"\x0b\xff"


async def gives_too_much(_request: Message, _context: Any) -> bytes:
    """Return more than the limit."""
    return text(1, "a" * 3000)


WRONG: dict[str, tuple[Handler, Reason]] = {
    "another value": (gives(value=0.5), Reason.WRONG_ANSWER),
    "another id": (gives(given="x"), Reason.WRONG_ANSWER),
    "NaN": (gives(value=float("nan")), Reason.WRONG_ANSWER),
    "shape belied": (
        gives(output=text(1, "score") + text(2, "FP32") + packed(3, [3])),
        Reason.SCHEMA,
    ),
    "no datatype": (gives(output=text(1, "score")), Reason.SCHEMA),
    "no message": (gives_no_message, Reason.PROTOCOL),
    "too much": (gives_too_much, Reason.TOO_LARGE),
}


@pytest.mark.parametrize("fault", WRONG)
async def test_wrong_answer_has_its_reason(fault: str) -> None:
    """What is wrong with an answer is told as over REST."""
    handler, reason = WRONG[fault]
    run = await asked("own", {**OWN, "response_limit_bytes": 2000}, ModelInfer=handler)
    assert run.reason is reason, run.detail
    assert run.observation.nonfinite_values == (1 if fault == "NaN" else None)


STATUSES: dict[str, tuple[Reason, int]] = {
    "INVALID_ARGUMENT": (Reason.HTTP_4XX, 400),
    "NOT_FOUND": (Reason.HTTP_4XX, 404),
    "UNAUTHENTICATED": (Reason.AUTH, 401),
    "PERMISSION_DENIED": (Reason.AUTH, 403),
    "RESOURCE_EXHAUSTED": (Reason.RATE_LIMITED, 429),
    "INTERNAL": (Reason.HTTP_5XX, 500),
    "UNKNOWN": (Reason.HTTP_5XX, 500),
    "UNIMPLEMENTED": (Reason.HTTP_5XX, 501),
    "UNAVAILABLE": (Reason.HTTP_5XX, 503),
    "DEADLINE_EXCEEDED": (Reason.HTTP_5XX, 504),
}


@pytest.mark.parametrize("status", STATUSES)
async def test_status_has_its_reason(status: str) -> None:
    """A status is told as the HTTP one that stands for it, with its name and words."""

    async def refuses(_request: Message, context: Any) -> bytes:
        await context.abort(grpc.StatusCode[status], "said so", (("retry-after", "7"),))
        return b""

    run = await asked("own", ModelInfer=refuses)
    assert (run.reason, run.observation.status_code) == STATUSES[status]
    assert run.detail == f"gRPC status {status}: said so"
    waits = STATUSES[status][1] in {429, 503}
    assert run.observation.retry_after_seconds == (7.0 if waits else None)


async def test_readiness_is_asked_alone() -> None:
    """With `infer: false` server and model must both say that they are ready."""
    fields = {"infer": False}
    assert (await asked(fields=fields)).reason is None
    run = await asked(fields=fields, ModelReady=is_not_ready)
    assert (run.reason, run.detail) == (Reason.WRONG_ANSWER, "the model is not ready")
    run = await asked(fields=fields, ServerReady=is_not_ready)
    assert (run.reason, run.detail) == (Reason.WRONG_ANSWER, "the server is not ready")


async def test_metadata_that_is_none_is_said() -> None:
    """Without inputs in the metadata, and without canaries, there is nothing to send."""

    async def names_nothing(request: Message, _context: Any) -> bytes:
        return text(1, request.text(1))

    run = await asked(fields={}, ModelMetadata=names_nothing)
    assert (run.reason, run.detail[:9]) == (Reason.EMPTY, "metadata:")


async def test_deadline_holds_and_is_sent() -> None:
    """A server that does not answer is late, and knows by when it had to."""
    left: list[float] = []

    async def hangs(_request: Message, context: Any) -> bytes:
        left.append(context.time_remaining())
        await asyncio.Event().wait()
        return b""

    run = await asked("own", {**OWN, "timeout": 1.5}, ModelInfer=hangs)
    assert run.reason is Reason.TIMEOUT_TOTAL, run.detail
    assert 0 < left[0] <= 1.6  # gRPC rounds it up


async def test_headers_and_credentials_are_metadata() -> None:
    """Headers of the file and the bearer token arrive; the authority is the host that was named."""
    seen: dict[str, str] = {}

    async def listens(request: Message, context: Any) -> bytes:
        seen.update(context.invocation_metadata() or ())
        return answer(request)

    headers: Headers = {"X-Tenant": "a", "Connection": "close"}
    run = await asked("own", {**OWN, "headers": headers}, ModelInfer=listens)
    assert run.reason is None, run.detail
    assert seen["x-tenant"] == "a"
    assert "connection" not in seen


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "http://h:1/v2"}, "has a path"),
        ({"keep": True}, "`keep` is not for this kind"),
        ({"proxy": {"url": "http://p:1"}}, "`proxy` is not for this kind"),
        ({"canaries": [{**OWN["canaries"][0], "parameters": {"a": {}}}]}, "map or a list"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], said: str) -> None:
    """Settings that gRPC has no place for are an error of the configuration."""
    with pytest.raises(ValidationError, match=said):
        OipGrpc(name="t", model="m", **fields)


def test_without_grpcio_the_kind_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent extra is an error of the configuration, not of a run."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ValidationError, match=r"install vigie\[grpc\]"):
        OipGrpc(name="t", model="m")
