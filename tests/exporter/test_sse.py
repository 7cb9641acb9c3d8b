"""Server-sent events: the same events whatever the reads were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.sse import Event, events
from exporter.target import Chunk

PIECES = st.lists(
    st.sampled_from(
        [b"data: a", b"data:b", b"\n", b"\r\n", b"\r", b": ping", b"id: 7", b"\xef\xbb\xbf", b"x"]
    ),
    max_size=20,
).map(b"".join)


def in_chunks(data: bytes, size: int) -> list[Chunk]:
    """Cut bytes into reads, each a second after the one before."""
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return [Chunk(at=float(index), data=part) for index, part in enumerate(parts)]


def seen(data: bytes, size: int) -> list[tuple[str, bool]]:
    """Return the events of bytes read in pieces of this size."""
    return [(event.data, event.whole) for event in events(in_chunks(data, size))]


@given(data=PIECES, size=st.integers(1, 8))
def test_reads_do_not_matter(data: bytes, size: int) -> None:
    """However the bytes are cut into reads, the events are those of one read."""
    assert seen(data, size) == seen(data, len(data) or 1)


def test_event_has_the_time_of_the_read_that_ended_it() -> None:
    """An event begun in one read and ended in another came with the other."""
    chunks = [Chunk(at=1.0, data=b"data: a"), Chunk(at=2.0, data=b"b\n\ndata: c\n\n")]
    assert list(events(chunks)) == [Event(at=2.0, data="ab"), Event(at=2.0, data="c")]


def test_odd_lines_are_read_as_the_standard_says() -> None:
    """Comments and other fields are skipped, several data lines joined, one space removed."""
    text = b"\xef\xbb\xbf: hi\nid: 1\ndata:  a\r\ndata:b\rdata\n\nevent: x\n\ndata: c"
    assert seen(text, 100) == [(" a\nb\n", True), ("c", False)]
