"""Tensors of the Open Inference Protocol in JSON: read, held against metadata, and made; pure.

Source: the protocol's REST specification (open-inference-protocol, inference_rest.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, model_validator

from exporter.prediction import FaultError, Json, Tolerance, difference, rows
from exporter.target import Reason, between
from toolkit.settings import Settings

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
DATATYPES: Final = frozenset(get_args(Datatype))
MOST_VALUES = 1 << 16
"""Values of a tensor that we make; the shape is the server's to say."""

_MOST_DIMENSIONS = 32
_FILL: Final[Mapping[str, Any]] = {"BOOL": True, "BYTES": "a"}
Values = dict[str, Any]


class Tensor(Settings):
    """One input: as many values as its shape says, nested or flat, in row-major order."""

    name: str = Field(min_length=1, max_length=500, description="the input's name")
    datatype: Datatype = Field(description="FP32, INT64, BYTES, ...")
    shape: tuple[Annotated[int, between(0, MOST_VALUES)], ...] = Field(
        description="its dimensions, the batch first where the model has one"
    )
    data: Json = Field(description="the values, as a list")

    @model_validator(mode="after")
    def _fills(self) -> Tensor:
        data = self.data if isinstance(self.data, list) else [self.data]
        count, wanted = sum(1 for _ in flat(data)), math.prod(self.shape)
        if count != wanted:
            raise ValueError(f"data: {count} values do not fill the shape, which has {wanted}")
        return self

    def document(self) -> Values:
        """Return it as the request has it."""
        return {
            "name": self.name,
            "datatype": self.datatype,
            "shape": list(self.shape),
            "data": self.data if isinstance(self.data, list) else [self.data],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """What metadata says of an input or output; -1 stands for any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def fits(self, shape: Sequence[int]) -> bool:
        """Say whether a tensor's shape is one of these."""
        return len(shape) == len(self.shape) and all(
            wanted in {-1, length} for wanted, length in zip(self.shape, shape, strict=True)
        )

    def filled(self) -> Values:
        """Return a valid tensor, its open dimensions 1 long; FaultError when it were too large."""
        shape = [1 if length == -1 else length for length in self.shape]
        count = math.prod(shape)
        if count > MOST_VALUES:
            text = f"the input {self.name[:60]!r} has {count} values; give canaries of your own"
            raise FaultError(Reason.SCHEMA, text)
        value = _FILL.get(self.datatype, 1.0 if self.datatype.startswith("FP") else 1)
        return {
            "name": self.name,
            "datatype": self.datatype,
            "shape": shape,
            "data": [value] * count,
        }


def slots(metadata: Any, key: str) -> tuple[Slot, ...]:
    """Read a model's inputs or outputs out of its metadata; FaultError when they are none."""
    return tuple(_slot(each, key) for each in rows(metadata, key))


def _slot(given: Any, key: str) -> Slot:
    name, datatype, shape = _head(given, f"metadata {key}", least=-1)
    return Slot(name=name, datatype=datatype, shape=shape)


def _head(given: Any, place: str, *, least: int) -> tuple[str, str, tuple[int, ...]]:
    """Return name, datatype and shape."""
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise FaultError(Reason.SCHEMA, f"{place}: a tensor has no name")
    name, datatype, shape = given["name"], given.get("datatype"), given.get("shape")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise FaultError(Reason.SCHEMA, f"{place}: {name[:60]!r} has no datatype of the protocol")
    if (
        not isinstance(shape, list)
        or len(shape) > _MOST_DIMENSIONS
        or not all(type(length) is int and least <= length < 1 << 31 for length in shape)
    ):
        raise FaultError(Reason.SCHEMA, f"{place}: {name[:60]!r} has no shape")
    return name, datatype, tuple(shape)


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One tensor of an answer, its data flat."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: tuple[Any, ...]


def outputs(answer: Any) -> tuple[Output, ...]:
    """Read an answer's outputs; raises FaultError for one that its own shape or type belies."""
    return tuple(_output(each) for each in rows(answer, "outputs"))


def _output(given: Any) -> Output:
    name, datatype, shape = _head(given, "outputs", least=0)
    data = given.get("data")
    if not isinstance(data, list):
        raise FaultError(Reason.SCHEMA, f"outputs: {name[:60]!r} has no data")
    values = tuple(flat(data))
    if len(values) != math.prod(shape):
        text = f"outputs: {name[:60]!r} has {len(values)} values, its shape {math.prod(shape)}"
        raise FaultError(Reason.SCHEMA, text)
    nulls = sum(value is None for value in values)
    if nulls:
        # JSON has no NaN: encoders that know it write null in its place.
        text = f"outputs: {nulls} values of {name[:60]!r} are null, as NaN is written"
        raise FaultError(Reason.WRONG_ANSWER, text, nulls)
    if not all(_is_of(value, datatype) for value in values):
        raise FaultError(Reason.SCHEMA, f"outputs: {name[:60]!r} has values that are no {datatype}")
    return Output(name=name, datatype=datatype, shape=shape, data=values)


def _is_of(value: Any, datatype: str) -> bool:
    if datatype == "BYTES":
        return isinstance(value, str)
    if datatype == "BOOL":
        return isinstance(value, int) and 0 <= value <= 1
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if datatype.startswith("FP"):
        return True
    bits = int(datatype.lstrip("UINT"))
    least, most = (0, 1 << bits) if datatype.startswith("U") else (-1 << bits - 1, 1 << bits - 1)
    return isinstance(value, int) and least <= value < most


def hold(found: Sequence[Output], wanted: Sequence[Slot]) -> None:
    """Hold an answer's outputs against the model's metadata; raises FaultError."""
    by_name = {output.name: output for output in found}
    for slot in wanted:
        output = by_name.get(slot.name)
        if output is None:
            raise FaultError(Reason.SCHEMA, f"the output {slot.name[:60]!r} is missing")
        if output.datatype != slot.datatype:
            text = f"the output {slot.name[:60]!r} is {output.datatype}, not {slot.datatype}"
            raise FaultError(Reason.SCHEMA, text)
        if not slot.fits(output.shape):
            text = f"the output {slot.name[:60]!r} is {list(output.shape)}, not {list(slot.shape)}"
            raise FaultError(Reason.SCHEMA, text)


def compare(found: Sequence[Output], golden: Mapping[str, Any], tolerance: Tolerance) -> None:
    """Hold outputs against golden data by name, nested or flat; raises FaultError."""
    by_name = {output.name: output.data for output in found}
    for name, values in golden.items():
        wanted = tuple(flat(values if isinstance(values, list) else [values]))
        where = difference(wanted, by_name.get(name), tolerance, name[:60])
        if where is not None:
            raise FaultError(Reason.WRONG_ANSWER, f"not the golden answer at {where}")


def flat(data: Sequence[Any]) -> Iterator[Any]:
    """Yield the values of nested lists in order; iterative, since the answer chooses its depth."""
    left: list[Iterator[Any]] = [iter(data)]
    while left:
        for value in left[-1]:
            if isinstance(value, list):
                left.append(iter(value))
                break
            yield value
        else:
            left.pop()
