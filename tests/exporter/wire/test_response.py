"""One response out of bytes, however they are cut."""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.hearing import Hearing
from exporter.target import Reason
from exporter.wire.failure import FailedError
from exporter.wire.response import HEAD_LIMIT_BYTES, Response

CHUNKED = (
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4;ext=1\r\nWiki\r\n6\r\npedia \r\n0\r\nX-Trailer: t\r\n\r\n"
)
FORGED = b"HTTP/1.1 500 No\r\nContent-Length: 6\r\nX-Forged: 1\r\n\r\nforged"


def read(pieces: list[bytes], **given_: Any) -> Response:
    """Feed a response, and end it."""
    usual: dict[str, Any] = {"method": "GET", "limit_bytes": 1 << 20, "heard": None}
    response = Response(**(usual | given_))
    for at, piece in enumerate(pieces):
        response.feed(piece, float(at), None)
    response.end()
    return response


def body(response: Response) -> bytes:
    """Return the body."""
    return b"".join(data for _, _, data in response.reads)


@given(st.lists(st.integers(1, len(CHUNKED) - 1), max_size=12))
def test_a_cut_anywhere_changes_nothing(cuts: list[int]) -> None:
    """Status, headers and body are the same; an interim answer and a trailer are not part of it."""
    ends = [0, *sorted(set(cuts)), len(CHUNKED)]
    pieces = [CHUNKED[one:two] for one, two in itertools.pairwise(ends)]
    response = read(pieces)
    assert (response.status, body(response), response.done) == (200, b"Wikipedia ", True)
    assert response.headers == {"content-type": "text/plain", "transfer-encoding": "chunked"}
    assert response.reusable


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Reason.PROTOCOL),
        (b"SSH-2.0-OpenSSH\r\n", Reason.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", Reason.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab", Reason.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", Reason.PROTOCOL),
        (b"HTTP/1.1 101 Up\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", Reason.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nab", Reason.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 2000, Reason.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * HEAD_LIMIT_BYTES * 2, Reason.PROTOCOL),
    ],
)
def test_what_is_no_answer_is_told(data: bytes, reason: Reason) -> None:
    """Nothing, half a head, no HTTP, a body that is too short or too long, and an upgrade."""
    with pytest.raises(FailedError) as refused:
        read([data] if data else [], limit_bytes=1000)
    assert refused.value.reason is reason


def test_mostly_framing_is_refused() -> None:
    """A body of single bytes, each with an extension, costs more than it says."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    padded = b"1;" + b"x" * 1000 + b"\r\na\r\n"
    with pytest.raises(FailedError):
        read([head, *[padded] * 500])


def test_an_answer_may_end_with_the_connection() -> None:
    """Without a length the end is the end; such a connection is not kept."""
    response = read([b"HTTP/1.1 200 OK\r\n\r\n", b"ab", b"cd"])
    assert (body(response), response.done, response.reusable) == (b"abcd", True, False)


def test_a_head_alone_is_the_answer_to_head() -> None:
    """Whatever length it promises."""
    response = read([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], method="HEAD")
    assert response.done


def test_a_listener_ends_it_and_merged_events_are_counted() -> None:
    """After `[DONE]` nothing matters; a read with two events gives both one time."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    response = read([head, b"data: a\n\n", b"data: b\n\ndata: c\n\n", b"data: [DONE]\n\n", b"x"],
                    heard=Hearing())  # fmt: skip
    assert response.done
    assert not response.reusable
    assert response.merged_reads == 1


STARTS = (
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
)


def reason_of(data: bytes) -> Reason | None:
    """Return why bytes are no answer, None when they are one."""
    try:
        read([data])
    except FailedError as error:
        return error.reason
    return None


@given(st.sampled_from(STARTS), st.binary(max_size=400))
def test_any_bytes_end_in_an_answer_or_a_reason(start: bytes, data: bytes) -> None:
    """Nothing else is raised."""
    assert reason_of(start + data) in {None, Reason.PROTOCOL, Reason.TOO_LARGE}


@pytest.mark.parametrize("cut", range(len(FORGED)))
def test_an_answer_to_nothing_is_not_read(cut: int) -> None:
    """What follows in the same read or a later one changes no status, header or body."""
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    response = Response(method="GET", limit_bytes=100, heard=None)
    response.feed(first + FORGED[:cut], 1.0, None)
    assert (response.status, response.headers, body(response)) == (
        200,
        {"content-length": "2"},
        b"ok",
    )
    assert response.done
    assert response.reusable is (cut == 0)


def test_a_closed_response_needs_no_garbage_collector() -> None:
    """It and its parser hold each other until it is closed; then its count alone frees it."""
    response = read([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    seen = weakref.ref(response)
    gc.disable()
    try:
        response.close()
        assert response.http_version == "1.1"
        del response
        assert seen() is None
    finally:
        gc.enable()
