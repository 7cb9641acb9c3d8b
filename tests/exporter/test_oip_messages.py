"""The protocol's messages over gRPC, held to bytes that protoc's own code wrote and reads."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import oip_messages as messages
from exporter.protobuf import MOST_FIELDS, Message, WireError, length, packed, signed, text, varint

# Written by the protobuf runtime 6.33 of the protocol's .proto.
REQUEST = bytes.fromhex(
    "0a016d1201321a0361626322080a017312031a01742a190a01611204465033321a0201022a0a32080000c03f0000"
    "00c02a1b0a01621204494e54381a01022a0d120bffffffffffffffffff012c2a130a0163120542595445531a0101"
    "2a044202c3a92a120a01641204424f4f4c1a01022a040a0201002a1c0a0165120655494e5436341a01012a0c2a0a"
    "ffffffffffffffffff012a180a01661204465036341a01012a0a3a089a9999999999b93f2a1b0a01671205494e54"
    "36341a01012a0c1a0afbffffffffffffffff012a150a0168120655494e5431361a01012a052203ffff03"
)
RESPONSE = bytes.fromhex(
    "0a016d1201321a036162632a190a01611204465033321a0201022a0a32080000c03f000000c02a1b0a0162120449"
    "4e54381a01022a0d120bffffffffffffffffff012c2a130a0163120542595445531a01012a044202c3a92a120a01"
    "641204424f4f4c1a01022a040a0201002a1c0a0165120655494e5436341a01012a0c2a0affffffffffffffffff01"
    "2a180a01661204465036341a01012a0a3a089a9999999999b93f2a1b0a01671205494e5436341a01012a0c1a0afb"
    "ffffffffffffffff012a0d0a017a1205494e5436341a0100"
)
RAW = bytes.fromhex(
    "0a016d1201321a036162632a0d0a01611204465033321a0201022a0c0a01621204494e54381a01022a0d0a016312"
    "0542595445531a01012a0c0a01641204424f4f4c1a01022a0e0a0165120655494e5436341a01012a0c0a01661204"
    "465036341a01012a0d0a01671205494e5436341a01012a0d0a017a1205494e5436341a010032080000c03f000000"
    "c03202ff2c320602000000c3a9320201003208ffffffffffffffff32089a9999999999b93f3208fbffffffffffff"
    "ff3200"
)
METADATA = bytes.fromhex(
    "0a016d1201311201321a017022160a01781204465033321a0bffffffffffffffffff01042a160a01791205494e54"
    "36341a0affffffffffffffffff01"
)


def tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    """Return a tensor as REST has it."""
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


TENSORS = [
    tensor("a", "FP32", [1, 2], [[1.5, -2]]),
    tensor("b", "INT8", [2], [-1, 44]),
    tensor("c", "BYTES", [1], ["é"]),
    tensor("d", "BOOL", [2], [True, False]),
    tensor("e", "UINT64", [1], [2**64 - 1]),
    tensor("f", "FP64", [1], [0.1]),
    tensor("g", "INT64", [1], [-5]),
]


def test_request_is_as_protoc_writes_it() -> None:
    """Nested data, negative numbers, texts, truth values, and a parameter."""
    last = tensor("h", "UINT16", [1], [65535])
    body = {"id": "abc", "parameters": {"s": "t"}, "inputs": [*TENSORS, last]}
    assert messages.infer_request("m", "2", body) == REQUEST


@pytest.mark.parametrize("data", [RESPONSE, RAW])
def test_response_is_read_typed_and_raw(data: bytes) -> None:
    """Both ways to send contents give the tensors that REST would have, an empty one too."""
    document = messages.infer_response(data)
    assert document["id"] == "abc"
    assert (document["model_name"], document["model_version"]) == ("m", "2")
    flat = [{**TENSORS[0], "data": [1.5, -2.0]}, *TENSORS[1:], tensor("z", "INT64", [0], [])]
    assert document["outputs"] == flat


def test_metadata_is_read() -> None:
    """An open dimension is a negative number of ten bytes."""
    document = messages.metadata(METADATA)
    assert document["versions"] == ["1", "2"]
    assert document["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert document["outputs"] == [{"name": "y", "datatype": "INT64", "shape": [-1]}]


def test_fp16_goes_raw_with_all_beside_it() -> None:
    """FP16 has no typed contents, and a request is raw in all or in none of its inputs."""
    inputs = [tensor("a", "FP16", [1], [0.5]), tensor("b", "BYTES", [1], ["é"])]
    message = Message(messages.infer_request("m", "", {"inputs": inputs}))
    assert message.every(7) == [struct.pack("<e", 0.5), b"\2\0\0\0\xc3\xa9"]
    assert all(not Message(each).every(5) for each in message.every(5))


@pytest.mark.parametrize(
    ("datatype", "value"),
    [("INT8", 300), ("FP32", "a"), ("BYTES", 1), ("UINT64", -1), ("FP32", 1e300)],
)
def test_value_of_another_type_is_refused(datatype: str, value: object) -> None:
    """What cannot be sent is said before anything is."""
    with pytest.raises(ValueError, match=r"are no "):
        messages.infer_request("m", "", {"inputs": [tensor("x", datatype, [1], [value])]})


def test_parameters_of_each_type() -> None:
    """Truth values, numbers and texts have each their field; a list has none."""
    for value in (True, 7, 0.5, "a"):
        messages.infer_request("m", "", {"parameters": {"p": value}, "inputs": []})
    with pytest.raises(ValueError, match="map or a list"):
        messages.infer_request("m", "", {"parameters": {"p": [1]}, "inputs": []})


BROKEN = {
    "half a varint": b"\x08\x80",
    "half a text": b"\x0a\x05ab",
    "half a double": b"\x09\x00",
    "a group": b"\x0b",
    "field zero": b"\x00\x00",
    "endless varint": b"\x08" + b"\xff" * 11,
    "no UTF-8": b"\x0a\x02\xff\xfe",
    "too many fields": b"\x08\x01" * (MOST_FIELDS + 1),
    "raw for no output": length(6, b"a"),
    "half a raw number": length(5, text(2, "FP32")) + length(6, b"abc"),
    "half a raw text": length(5, text(2, "BYTES")) + length(6, b"\x05\0\0\0ab"),
    "too many values": length(
        5, text(2, "BOOL") + length(5, length(1, b"\1" * (messages.MOST_VALUES + 1)))
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_message_is_refused(fault: str) -> None:
    """Whatever is wrong with the bytes ends in one error."""
    with pytest.raises(WireError):
        messages.infer_response(BROKEN[fault])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes raise anything else."""
    for read in (messages.ready, messages.metadata, messages.infer_response):
        try:
            read(data)
        except WireError:
            continue


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_come_back(values: list[int]) -> None:
    """Packed and one by one, small and negative."""
    one_by_one = b"".join(varint(1 << 3) + varint(value) for value in values)
    for data in (packed(1, values), one_by_one):
        assert [signed(each) for each in Message(data).numbers(1)] == values


def test_not_a_number_is_kept() -> None:
    """NaN in an answer is there to be counted."""
    nan = length(5, text(1, "a") + text(2, "FP32")) + length(6, struct.pack("<f", math.nan))
    assert math.isnan(messages.infer_response(nan)["outputs"][0]["data"][0])
