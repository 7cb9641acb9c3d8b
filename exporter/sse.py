"""Server-sent events out of timed chunks, parsed as the HTML standard's section 9.2.6 says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exporter.target import Chunk

_BREAK = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event's data, and when the read that completed it came (monotonic seconds).

    `whole` is False for what the stream's end cut off.
    """

    at: float
    data: str
    whole: bool = True


def events(chunks: Iterable[Chunk]) -> Iterator[Event]:
    """Yield the events that have data; comments and other fields are skipped.

    An event that the stream's end leaves open is yielded as not whole: some servers leave out the
    last blank line.
    """
    data: list[bytes] = []
    at = 0.0
    for moment, line in _lines(chunks):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
            at = moment
        elif not line and data:
            yield _event(moment, data)
            data = []
    if data:
        yield _event(at, data, whole=False)


def _event(at: float, data: list[bytes], *, whole: bool = True) -> Event:
    return Event(at=at, data=b"\n".join(data).decode("utf-8", "replace"), whole=whole)


def _lines(chunks: Iterable[Chunk]) -> Iterator[tuple[float, bytes]]:
    """Yield each line with the time of the read that ended it; CR, LF and CRLF end a line."""
    parts: list[bytes] = []
    after_cr = False
    mark = b"\xef\xbb\xbf"  # a byte order mark may lead the stream
    at = 0.0
    for chunk in chunks:
        at = chunk.at
        data = chunk.data.removeprefix(b"\n") if after_cr else chunk.data
        after_cr = data.endswith(b"\r")
        head, *others = _BREAK.split(data)
        parts.append(head)
        for other in others:
            yield at, b"".join(parts).removeprefix(mark)
            mark = b""
            parts = [other]
    rest = b"".join(parts).removeprefix(mark)
    if rest:
        yield at, rest
