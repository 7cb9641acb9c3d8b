"""Content encodings are undone, within the limit."""

from __future__ import annotations

import gzip
import zlib

import pytest

from exporter.target import Reason
from exporter.wire.decode import decoder
from exporter.wire.failure import FailedError

TEXT = b"what was said, " * 100
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
ENCODED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    " GZIP ": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "Deflate": RAW.compress(TEXT) + RAW.flush(),
}


@pytest.mark.parametrize("name", ENCODED)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_encoding_is_undone_however_it_is_cut(name: str, size: int) -> None:
    """Byte by byte or at once; deflate with its header and without."""
    decode = decoder(name, 1 << 20)
    assert decode is not None
    data = ENCODED[name]
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert b"".join(map(decode, pieces)) == TEXT


@pytest.mark.parametrize("name", ["", "identity"])
def test_nothing_is_undone_where_nothing_was_done(name: str) -> None:
    """No encoding costs no call."""
    assert decoder(name, 10) is None


def test_a_bomb_is_refused_before_it_has_grown() -> None:
    """A little that becomes much ends at the limit."""
    decode = decoder("gzip", 10_000)
    assert decode is not None
    with pytest.raises(FailedError) as refused:
        decode(gzip.compress(b"\0" * 10_000_000))
    assert refused.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(("name", "data"), [("gzip", b"not gzip"), ("deflate", b"\xff" * 9)])
def test_a_damaged_body_is_told(name: str, data: bytes) -> None:
    """What cannot be undone is a fault of the protocol."""
    decode = decoder(name, 10_000)
    assert decode is not None
    with pytest.raises(FailedError) as refused:
        decode(data)
    assert refused.value.reason is Reason.PROTOCOL


def test_an_encoding_that_was_not_asked_for_is_refused() -> None:
    """Brotli and all else."""
    with pytest.raises(FailedError):
        decoder("br", 10)
