"""The Open Inference Protocol's messages over gRPC, to and from what it has over REST; pure.

Source: the protocol's grpc_predict_v2.proto (open-inference-protocol, inference_grpc.md).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from exporter.protobuf import (
    Message,
    WireError,
    eight_bytes,
    length,
    number,
    packed,
    signed,
    text,
)
from exporter.tensor import flat

SERVICE: Final = "inference.GRPCInferenceService"
MOST_VALUES = 1 << 18
"""Values of an answer beyond which it is refused, since the agents' loop reads it."""

# Datatype -> the field of InferTensorContents; FP16 has none and goes as raw bytes only.
_CONTENTS: Final[Mapping[str, int]] = {
    "BOOL": 1,
    "INT8": 2, "INT16": 2, "INT32": 2,
    "INT64": 3,
    "UINT8": 4, "UINT16": 4, "UINT32": 4,
    "UINT64": 5,
    "FP32": 6,
    "FP64": 7,
    "BYTES": 8,
}  # fmt: skip
# Datatype -> its letter in the module `struct`, little-endian, for floats and raw bytes.
_LETTERS: Final[Mapping[str, str]] = {
    "BOOL": "?",
    "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q",
    "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q",
    "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
_FLOATS: Final = frozenset({"FP32", "FP64"})
_SIGNED: Final = frozenset({"INT8", "INT16", "INT32", "INT64"})

Document = dict[str, Any]


def model_request(name: str, version: str) -> bytes:
    """Encode a ModelReadyRequest or ModelMetadataRequest."""
    return text(1, name) + text(2, version)


def infer_request(name: str, version: str, body: Mapping[str, Any]) -> bytes:
    """Encode a ModelInferRequest of REST's `id`, `parameters` and `inputs`.

    A tensor of a datatype that is none takes the contents of its values. Raises ValueError for
    values that are not of their datatype, and for parameters that are maps or lists.
    """
    inputs: Sequence[Mapping[str, Any]] = body["inputs"]
    raw = any(each["datatype"] == "FP16" for each in inputs)  # one raw, all raw
    parts = [text(1, name), text(2, version), text(3, body.get("id", ""))]
    for key, value in body.get("parameters", {}).items():
        parts.append(length(4, text(1, key) + length(2, _parameter(value))))
    for each in inputs:
        contents = b"" if raw else length(5, _contents(each))
        head = text(1, each["name"]) + text(2, each["datatype"]) + packed(3, each["shape"])
        parts.append(length(5, head + contents))
    parts.extend(length(7, _raw(each)) for each in inputs if raw)
    return b"".join(parts)


def _parameter(value: Any) -> bytes:
    if isinstance(value, bool):
        return number(1, value)
    if isinstance(value, int):
        return number(2, value)
    if isinstance(value, str):
        return length(3, value.encode())
    if isinstance(value, float):
        return eight_bytes(4, struct.pack("<d", value))
    raise ValueError("a parameter is a map or a list; use text, a number or a truth value")


def _values(tensor: Mapping[str, Any]) -> list[Any]:
    return list(flat(tensor["data"]))


def _contents(tensor: Mapping[str, Any]) -> bytes:
    values = _values(tensor)
    datatype = tensor["datatype"]
    if datatype not in _CONTENTS:
        datatype = _likely(values)
    field = _CONTENTS[datatype]
    if datatype == "BYTES":
        return b"".join(length(field, each) for each in _encoded(values))
    data = _packed(datatype, values)
    return length(field, data) if datatype in _FLOATS else packed(field, _whole(datatype, data))


def _likely(values: Sequence[Any]) -> str:
    """Return a datatype that can hold the values."""
    if all(isinstance(value, str) for value in values):
        return "BYTES"
    return "INT64" if all(isinstance(value, int) for value in values) else "FP64"


def _raw(tensor: Mapping[str, Any]) -> bytes:
    """Encode values as raw contents; a text goes after its length (Triton's and KServe's way)."""
    if tensor["datatype"] == "BYTES":
        return b"".join(struct.pack("<I", len(each)) + each for each in _encoded(_values(tensor)))
    datatype = tensor["datatype"] if tensor["datatype"] in _LETTERS else "FP16"
    return _packed(datatype, _values(tensor))


def _encoded(values: Sequence[Any]) -> list[bytes]:
    if not all(isinstance(value, str) for value in values):
        raise ValueError("values of a BYTES tensor are no text; write them in quotes")
    return [value.encode() for value in values]


def _packed(datatype: str, values: Sequence[Any]) -> bytes:
    try:
        return struct.pack(f"<{len(values)}{_LETTERS[datatype]}", *values)
    except (struct.error, OverflowError, TypeError):
        raise ValueError(f"values are no {datatype}; correct data or datatype") from None


def _whole(datatype: str, data: bytes) -> tuple[int, ...]:
    letter = _LETTERS[datatype]
    return struct.unpack(f"<{len(data) // struct.calcsize(letter)}{letter}", data)


def ready(data: bytes) -> Document:
    """Decode a ServerReadyResponse or ModelReadyResponse; raises WireError."""
    return {"ready": bool(Message(data).number(1))}


def metadata(data: bytes) -> Document:
    """Decode a ModelMetadataResponse; raises WireError."""
    message = Message(data)
    return {
        "name": message.text(1),
        "versions": [each.decode("utf-8", "replace") for each in message.every(2)],
        "platform": message.text(3),
        "inputs": [_slot(each) for each in message.every(4)],
        "outputs": [_slot(each) for each in message.every(5)],
    }


def _slot(data: bytes) -> Document:
    message = Message(data)
    shape = [signed(each) for each in message.numbers(3)]
    return {"name": message.text(1), "datatype": message.text(2), "shape": shape}


def infer_response(data: bytes) -> Document:
    """Decode a ModelInferResponse; raises WireError, also where it is too much to read."""
    message = Message(data)
    raw = message.every(6)
    outputs = message.every(5)
    if raw and len(raw) != len(outputs):
        raise WireError(f"{len(raw)} raw contents for {len(outputs)} outputs")
    budget = _Budget()
    return {
        "model_name": message.text(1),
        "model_version": message.text(2),
        "id": message.text(3),
        "outputs": [
            _output(Message(each), raw[n] if raw else None, budget)
            for n, each in enumerate(outputs)
        ],
    }


class _Budget:
    """How many values may still be read."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def take(self, count: int) -> None:
        """Take so many; raises WireError."""
        self._left -= count
        if self._left < 0:
            raise WireError(f"over {MOST_VALUES} values")


def _output(message: Message, raw: bytes | None, budget: _Budget) -> Document:
    datatype = message.text(2)
    read = _read_contents(Message(message.joined(5))) if raw is None else _reader(raw)
    return {
        "name": message.text(1),
        "datatype": datatype,
        "shape": [signed(each) for each in message.numbers(3)],
        "data": read(datatype, budget),
    }


_Reader = Callable[[str, _Budget], list[Any]]


def _read_contents(contents: Message) -> _Reader:
    def read(datatype: str, budget: _Budget) -> list[Any]:
        field = _CONTENTS.get(datatype)
        if field is None:
            return []
        if datatype == "BYTES":
            texts = contents.every(field)
            budget.take(len(texts))
            return [each.decode("utf-8", "replace") for each in texts]
        if datatype in _FLOATS:
            return _unpacked(datatype, contents.joined(field), budget)
        budget.take(len(contents.joined(field)))
        values = contents.numbers(field)
        return [signed(each) for each in values] if datatype in _SIGNED else values

    return read


def _reader(raw: bytes) -> _Reader:
    def read(datatype: str, budget: _Budget) -> list[Any]:
        if datatype == "BYTES":
            return _texts(raw, budget)
        return _unpacked(datatype, raw, budget) if datatype in _LETTERS else []

    return read


def _unpacked(datatype: str, data: bytes, budget: _Budget) -> list[Any]:
    letter = _LETTERS[datatype]
    count, rest = divmod(len(data), struct.calcsize(f"<{letter}"))
    if rest:
        raise WireError(f"contents that are no whole {datatype}s")
    budget.take(count)
    return list(struct.unpack(f"<{count}{letter}", data))


def _texts(raw: bytes, budget: _Budget) -> list[str]:
    found, at = [], 0
    while at < len(raw):
        budget.take(1)
        end = at + 4
        if end > len(raw):
            raise WireError("a text without its length")
        end += struct.unpack_from("<I", raw, at)[0]
        if end > len(raw):
            raise WireError("a text longer than the contents")
        found.append(raw[at + 4 : end].decode("utf-8", "replace"))
        at = end
    return found
