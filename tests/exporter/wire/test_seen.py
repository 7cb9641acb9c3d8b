"""From what was seen to an Exchange: the kernel's times, and when they are not to be trusted."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from exporter.target import Reason
from exporter.wire import kernel
from exporter.wire.response import Response
from exporter.wire.seen import Seen

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answered(seen: Seen, *, read_at: float, stamp: float | None) -> None:
    """Let an answer come in one read."""
    response = Response(method="GET", limit_bytes=100, heard=lambda _: False)
    response.feed(ANSWER, read_at, stamp)
    seen.response = response


def test_chunks_have_the_kernels_times() -> None:
    """Made monotonic; a read that is late by a tenth of a second shows in none."""
    begin = time.monotonic()
    seen = Seen(begin)
    seen.offset = kernel.sample(time.monotonic)
    answered(seen, read_at=begin + 0.2, stamp=seen.offset.seconds + begin + 0.1)
    exchange = seen.finished(time.monotonic, None, "")
    assert exchange.chunks[0].at == pytest.approx(begin + 0.1, abs=0.001)
    assert exchange.times.first_byte == exchange.times.end == exchange.chunks[0].at
    assert not exchange.clock_stepped


def test_a_clock_that_stepped_is_not_trusted() -> None:
    """The times are those of the reads, and the exchange says so."""
    begin = time.monotonic()
    seen = Seen(begin)
    now = kernel.sample(time.monotonic)
    seen.offset = replace(now, seconds=now.seconds - 60)
    answered(seen, read_at=begin + 0.2, stamp=now.seconds + begin + 0.1)
    exchange = seen.finished(time.monotonic, None, "")
    assert exchange.clock_stepped
    assert exchange.chunks[0].at == begin + 0.2


def test_no_time_lies_before_the_beginning_or_after_the_read() -> None:
    """Whatever stamp the kernel gave."""
    begin = time.monotonic()
    for off_seconds, expected in ((-3600.0, begin), (3600.0, begin + 0.2)):
        seen = Seen(begin)
        seen.offset = kernel.sample(time.monotonic)
        answered(seen, read_at=begin + 0.2, stamp=seen.offset.seconds + begin + off_seconds)
        assert seen.finished(time.monotonic, None, "").chunks[0].at == expected


def test_a_failure_before_an_answer_keeps_what_was_timed() -> None:
    """And a hop before it is forgotten, but for the beginning and how long it took."""
    seen = Seen(1.0)
    seen.connect_begin, seen.connect_end, seen.written = 1.1, 1.2, 1.3
    answered(seen, read_at=1.4, stamp=None)
    seen.begin_hop(1.45)
    seen.connect_begin = 1.5
    exchange = seen.finished(lambda: 2.0, Reason.CONNECT, "not connected")
    assert (exchange.times.begin, exchange.times.connect_begin, exchange.times.end) == (1.0, 1.5, 2)
    assert (exchange.status, exchange.written, exchange.redirects) == (None, False, 1)
    expected = {"connect": 0.1, "processing": 0.1, "transfer": 0.05}
    assert exchange.redirected == pytest.approx(expected)
