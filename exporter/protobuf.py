"""Protocol Buffers' wire format, as much of it as a few small messages need; pure.

Source: protobuf.dev, "Encoding". Written by hand so that nobody needs generated code, whose
runtime must be of the very version that made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MOST_FIELDS = 1 << 16
"""Fields of a message beyond which it is refused, since each takes a microsecond of the loop."""

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_MOST_BITS = 70
_WORD = 1 << 64


class WireError(Exception):
    """Bytes that are no message."""


def varint(value: int) -> bytes:
    """Encode a whole number; a negative one takes ten bytes."""
    left = value % _WORD
    found = bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)


def number(field: int, value: int) -> bytes:
    """Encode a field of a whole number or truth value, which is written even when zero."""
    return varint(field << 3 | _VARINT) + varint(value)


def eight_bytes(field: int, value: bytes) -> bytes:
    """Encode a field of a double's bytes."""
    return varint(field << 3 | _EIGHT_BYTES) + value


def length(field: int, value: bytes) -> bytes:
    """Encode a field of bytes: text, a message, or packed numbers."""
    return varint(field << 3 | _LENGTH) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """Encode a field of text; the empty one is left out, as it is the default."""
    return length(field, value.encode()) if value else b""


def packed(field: int, values: Iterable[int]) -> bytes:
    """Encode a field of many whole numbers."""
    return length(field, b"".join(varint(value) for value in values))


class Message:
    """A message read: its fields' values in order, of which unknown ones are left alone."""

    def __init__(self, data: bytes) -> None:
        """Read the fields; raises WireError."""
        self._numbers: dict[int, list[int]] = {}
        self._bytes: dict[int, list[bytes]] = {}
        for field, value in _fields(data):
            if isinstance(value, int):
                self._numbers.setdefault(field, []).append(value)
            else:
                self._bytes.setdefault(field, []).append(value)

    def number(self, field: int) -> int:
        """Return the last of a whole number's values, 0 where there is none."""
        return self._numbers.get(field, [0])[-1]

    def numbers(self, field: int) -> list[int]:
        """Return whole numbers, packed or not; negative ones are theirs plus two to the 64."""
        found = list(self._numbers.get(field, ()))
        for part in self._bytes.get(field, ()):
            found.extend(_varints(part))
        return found

    def every(self, field: int) -> list[bytes]:
        """Return each value of a field of bytes."""
        return self._bytes.get(field, [])

    def joined(self, field: int) -> bytes:
        """Return the values of a field of bytes joined: so a message's or packed parts merge."""
        return b"".join(self._bytes.get(field, ()))

    def text(self, field: int) -> str:
        """Return the last of a text's values, empty where there is none; raises WireError."""
        try:
            return self._bytes.get(field, [b""])[-1].decode()
        except UnicodeDecodeError:
            raise WireError("text that is no UTF-8") from None


def signed(value: int) -> int:
    """Return what a varint of an int64 stands for."""
    return value - _WORD if value >= _WORD >> 1 else value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = count = 0
    while at < len(data):
        count += 1
        if count > MOST_FIELDS:
            raise WireError(f"over {MOST_FIELDS} fields")
        key, at = _varint(data, at)
        field, kind = key >> 3, key & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _varint(data, at)
        elif kind in {_EIGHT_BYTES, _FOUR_BYTES}:
            size = 8 if kind == _EIGHT_BYTES else 4
            value, at = data[at : at + size], at + size
        elif kind == _LENGTH:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise WireError("a kind of field that is none")
        if not field or at > len(data):
            raise WireError("it ends within a field")
        yield field, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, _MOST_BITS, 7):
        if at >= len(data):
            raise WireError("it ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value % _WORD, at
    raise WireError("a number that does not end")


def _varints(data: bytes) -> list[int]:
    if not data or max(data) < 0x80:
        return list(data)  # small ones, at no cost
    found, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        found.append(value)
    return found
