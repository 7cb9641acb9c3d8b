"""Undoing a content encoding within a limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from exporter.target import Reason
from exporter.wire.failure import FailedError

_RAW_DEFLATE = -zlib.MAX_WBITS


def too_large(limit_bytes: int) -> FailedError:
    """Make the error of a longer answer than allowed."""
    return FailedError(Reason.TOO_LARGE, f"the answer is over {limit_bytes} bytes")


def decoder(encoding: str, limit_bytes: int) -> Callable[[bytes], bytes] | None:
    """Return what undoes *encoding*, None when nothing is to be done; raises FailedError.

    `deflate` is taken with the zlib header of RFC 9110, section 8.4.1.2, and without it.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return None
    if name not in {"gzip", "x-gzip", "deflate"}:
        raise FailedError(Reason.PROTOCOL, "a content encoding that was not asked for")
    engine = None if name == "deflate" else zlib.decompressobj(zlib.MAX_WBITS | 32)
    left_bytes = limit_bytes
    first = b""

    def decode(data: bytes) -> bytes:
        nonlocal engine, left_bytes, first
        if engine is None:
            data = first + data
            if len(data) < 2:
                first = data
                return b""
            headed = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            engine = zlib.decompressobj(zlib.MAX_WBITS if headed else _RAW_DEFLATE)
        try:
            text = engine.decompress(data, left_bytes + 1)
        except zlib.error:
            raise FailedError(Reason.PROTOCOL, "the compressed body is damaged") from None
        left_bytes -= len(text)
        if left_bytes < 0:
            raise too_large(limit_bytes)
        return text

    return decode
