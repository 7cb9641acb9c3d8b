"""The gzip stream in two parts reads as one."""

from __future__ import annotations

import gzip
import random

import pytest

from exporter.gzipped import gzipped, pack


@pytest.mark.parametrize(
    "blocks", [[], [b""], [b"a"], [b"a" * 100_000, b"", b"b"], [random.Random(1).randbytes(70_000)]]
)
@pytest.mark.parametrize("end", [b"", b"the end\n"])
def test_two_parts_are_one_stream(blocks: list[bytes], end: bytes) -> None:
    """What is unpacked is the whole; the kept part may be followed by another end."""
    packed = pack(blocks)
    assert gzip.decompress(gzipped(packed, end)) == b"".join(blocks) + end
    assert gzip.decompress(gzipped(packed, b"another")) == b"".join(blocks) + b"another"
