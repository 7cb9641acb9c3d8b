"""A real gRPC server of the Open Inference Protocol for one test, and the runs made against it."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio

from exporter import oip_messages as messages
from exporter.probe import Question
from exporter.probes.oip_grpc import OipGrpc
from exporter.protobuf import Message, length, number, packed, text
from exporter.run import Run, perform
from exporter.transport import open_transport

Handler = Callable[[Message, Any], Awaitable[bytes]]

OWN: dict[str, Any] = {
    "canaries": [
        {
            "name": "own",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [[1, 2]]}],
            "expect": {"score": [[0.25]]},
        }
    ]
}
RIGHT = text(1, "score") + text(2, "FP32") + packed(3, [1, 1])


def answer(
    request: Message, *, output: bytes = RIGHT, value: float = 0.25, given: str = ""
) -> bytes:
    """Return a ModelInferResponse with one value."""
    head = text(1, request.text(1)) + text(2, "1") + text(3, given or request.text(3))
    return head + length(5, output) + length(6, struct.pack("<f", value))


async def infers(request: Message, context: Any) -> bytes:
    """Answer as the protocol says; a datatype that is none is refused."""
    datatypes = {Message(each).text(2) for each in request.every(5)}
    if not datatypes <= {"FP32"}:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unexpected datatype")
    return answer(request)


async def describes(request: Message, _context: Any) -> bytes:
    """Return a ModelMetadataResponse."""
    slots = length(4, text(1, "x") + text(2, "FP32") + packed(3, [-1, 2])) + length(
        5, text(1, "score") + text(2, "FP32") + packed(3, [-1, 1])
    )
    return text(1, request.text(1)) + slots


async def is_ready(_request: Message, _context: Any) -> bytes:
    """Return a readiness of true."""
    return number(1, 1)


async def is_not_ready(_request: Message, _context: Any) -> bytes:
    """Return a readiness of false, which is an empty message."""
    return b""


RIGHTLY: dict[str, Handler] = {
    "ServerReady": is_ready,
    "ModelReady": is_ready,
    "ModelMetadata": describes,
    "ModelInfer": infers,
}


def routed(handlers: Mapping[str, Handler]) -> Any:
    """Return the service whose calls these handlers answer; the bytes are theirs to read."""

    def method(handler: Handler) -> Any:
        async def call(data: bytes, context: Any) -> bytes:
            return await handler(Message(data), context)

        return grpc.unary_unary_rpc_method_handler(call)

    methods = {name: method(handler) for name, handler in handlers.items()}
    return grpc.method_handlers_generic_handler(messages.SERVICE, methods)


@asynccontextmanager
async def answering(credentials: Any = None, **handlers: Handler) -> AsyncIterator[str]:
    """Serve the protocol, but for the handlers given; yield host and port."""
    server = aio.server()
    server.add_generic_rpc_handlers((routed({**RIGHTLY, **handlers}),))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"localhost:{port}"
    finally:
        await server.stop(None)


async def ran(place: str, canary: str = "", **fields: Any) -> Run:
    """Ask once over plain text, or at the url given."""
    given = {"name": "t", "url": f"http://{place}", "model": "m", "timeout": 5.0, **fields}
    target = OipGrpc(**given)
    questions: dict[str, Question] = {each.canary: each for each in target.questions()}
    async with open_transport() as transport:
        return await perform(target, questions[canary or next(iter(questions))], transport)


async def asked(canary: str = "", fields: Mapping[str, Any] = OWN, **handlers: Handler) -> Run:
    """Serve, and ask once."""
    async with answering(**handlers) as place:
        return await ran(place, canary, **fields)
