"""gzip of a scrape in two parts: the fleet's, which is kept while it stays, and what always moves.

Both are one gzip stream (RFC 1952), since not every client reads several in a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import pack as struct_pack

from isal import isal_zlib

# On 85 MB of 10,000 targets: 0 took 50 ms for 6.8 MB, 1 and 2 took 55 ms for 4.5 MB, 3 took 500 ms
# for 4.6 MB; zlib's 1 took 240 ms for 4.5 MB.
_LEVEL = 1
_RAW_DEFLATE = -15
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """The beginning of a text, compressed up to a whole byte; what follows refers to nothing in it.

    `check` is its CRC-32.
    """

    data: bytes
    check: int
    size: int


def pack(blocks: Iterable[bytes]) -> Packed:
    """Compress a text given in blocks, of which one at a time is held."""
    engine = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW_DEFLATE)
    found, check, size = [], 0, 0
    for block in blocks:
        found.append(engine.compress(block))
        check = isal_zlib.crc32(block, check)
        size += len(block)
    found.append(engine.flush(isal_zlib.Z_FULL_FLUSH))
    return Packed(data=b"".join(found), check=check, size=size)


def gzipped(begin: Packed, end: bytes) -> bytes:
    """Return a whole gzip stream."""
    engine = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW_DEFLATE)
    check, size = isal_zlib.crc32(end, begin.check), begin.size + len(end)
    trailer = struct_pack("<II", check, size & 0xFFFFFFFF)
    return b"".join((_HEADER, begin.data, engine.compress(end), engine.flush(), trailer))
