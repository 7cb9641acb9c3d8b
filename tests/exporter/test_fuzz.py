"""The parsers against slow, simple ones, on whatever bytes and however the reads cut them."""

from __future__ import annotations

import itertools
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.sse import events
from exporter.target import Chunk, Reason
from exporter.wire.failure import FailedError
from exporter.wire.response import Response
from tests.exporter import reference

LIMIT_BYTES = 4096
CUTS = st.lists(st.integers(0, 600), max_size=20)
STREAMS = st.lists(
    st.sampled_from([b"data: ", b"data", b"data:", b": ping", b"id: 7", b"event: x"])
    | st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\xef\xbb\xbf", b"\0", b"\xff", b"[DONE]"])
    | st.binary(max_size=4),
    max_size=40,
).map(b"".join)
TOKENS = st.text("abcXYZ019-_", min_size=1, max_size=8)
VALUES = st.text("abcXYZ 019,;=\u00e9\"'", max_size=12).map(str.strip)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """Cut bytes into reads at these places."""
    places = [0, *sorted({place for place in at if 0 < place < len(data)}), len(data)]
    return [data[one:two] for one, two in itertools.pairwise(places)]


def encoded(body: bytes, encoding: str) -> bytes:
    """Apply a content encoding."""
    if encoding == "identity":
        return body
    engine = zlib.compressobj(wbits={"gzip": 31, "deflate": 15}[encoding])
    return engine.compress(body) + engine.flush()


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw a well-formed response and the body that it carries, encodings undone."""
    body, encoding = draw(st.binary(max_size=300)), draw(st.sampled_from(["", "gzip", "deflate"]))
    raw = encoded(body, encoding or "identity")
    names = draw(st.lists(st.tuples(TOKENS.map("X-{}".format), VALUES), max_size=5))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    fields = [f"{name}:{draw(st.sampled_from(['', ' ', '  ']))}{value}" for name, value in names]
    fields += [f"Content-Encoding: {encoding}"] if encoding else []
    fields += {
        "length": [f"content-LENGTH: {len(raw)}"],
        "chunked": ["Transfer-Encoding: chunked"],
        "close": ["Connection: close"],
    }[framing]
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * draw(st.integers(0, 3))
    status = draw(st.sampled_from([200, 201, 299, 404, 418, 500, 599]))
    head = "\r\n".join([f"HTTP/1.1 {status} Any Phrase", *fields]).encode() + b"\r\n\r\n"
    return interim + head + (chunked(draw, raw) if framing == "chunked" else raw), body


def chunked(draw: st.DrawFn, raw: bytes) -> bytes:
    """Frame a body in chunks, with extensions and a trailer now and then."""
    extension = draw(st.sampled_from([b"", b";a=1", b';b="c"']))
    pieces = [piece for piece in cut(raw, draw(CUTS)) if piece]
    framed = [b"%X%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces]
    return b"".join(framed) + b"0\r\n" + draw(st.sampled_from([b"", b"X-T: 1\r\n"])) + b"\r\n"


def read(pieces: list[bytes]) -> Response:
    """Feed a response, and end it."""
    response = Response(method="GET", limit_bytes=LIMIT_BYTES, heard=None)
    for at, piece in enumerate(pieces):
        if not response.done:
            response.feed(piece, float(at), None)
    response.end()
    return response


def told(pieces: list[bytes]) -> tuple[object, ...]:
    """Return what became of reads: status, headers and body, or the failure's reason."""
    try:
        response = read(pieces)
    except FailedError as error:
        return (error.reason,)
    return response.status, response.headers, b"".join(data for _, _, data in response.reads)


@settings(max_examples=300)
@given(data=STREAMS, at=CUTS)
def test_events_are_those_of_the_reference(data: bytes, at: list[int]) -> None:
    """Any bytes in any reads give the events that the standard gives for all of them at once."""
    chunks = [Chunk(at=float(index), data=piece) for index, piece in enumerate(cut(data, at))]
    found = list(events(chunks))
    assert [event.data for event in found if event.whole] == reference.sse(data)
    assert all(event.whole for event in found[:-1])


@settings(max_examples=300)
@given(drawn=responses(), at=CUTS)
def test_responses_are_those_of_the_reference(drawn: tuple[bytes, bytes], at: list[int]) -> None:
    """Status, headers and decoded body are the same, however framed, encoded and cut."""
    data, body = drawn
    expected = reference.http(data)
    assert told(cut(data, at)) == (expected.status, expected.headers, body)


@settings(max_examples=300)
@given(
    drawn=responses(),
    at=CUTS,
    place=st.integers(0, 400),
    gone=st.integers(0, 5),
    put=st.binary(max_size=5) | st.sampled_from([b"\r\n", b"\0", b": ", b"-1", b"\r\n\r\n"]),
)
def test_damage_is_told_the_same_however_it_is_cut(
    drawn: tuple[bytes, bytes], at: list[int], place: int, gone: int, put: bytes
) -> None:
    """A damaged response raises nothing else, and its reads do not decide what it is taken for."""
    data = drawn[0][:place] + put + drawn[0][place + gone :]
    whole, pieces = told([data]), told(cut(data, at))
    assert whole == pieces
    assert len(whole) == 3 or whole[0] in {Reason.PROTOCOL, Reason.TOO_LARGE}


@given(size=st.integers(LIMIT_BYTES - 2, LIMIT_BYTES + 2), encoding=st.sampled_from(["gzip", ""]))
def test_limit_is_exact(size: int, encoding: str) -> None:
    """A body of the limit is taken and one of a byte more is not, counted as it is decoded."""
    raw = encoded(b"a" * size, encoding or "identity")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(raw)}\r\n\r\n"
    expected = size if size <= LIMIT_BYTES else Reason.TOO_LARGE
    result = told([head.encode() + raw])
    assert (len(result[2]) if len(result) == 3 else result[0]) == expected  # type: ignore[arg-type]
