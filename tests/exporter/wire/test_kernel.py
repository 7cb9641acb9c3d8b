"""The kernel's receive times, made monotonic."""

from __future__ import annotations

import itertools
import socket
import struct
import time

import pytest

from exporter.wire import kernel
from exporter.wire.kernel import Offset


def test_a_read_brings_when_the_kernel_received_it() -> None:
    """The stamp lies between sending and reading, by the wall clock.

    The kernel begins to stamp some milliseconds after it was first asked to.
    """
    server = socket.create_server(("127.0.0.1", 0))
    idle = kernel.keep_stamping()
    with idle, server, socket.create_connection(server.getsockname()) as client:
        taken, _ = server.accept()
        with taken:
            assert kernel.ask_for_stamps(taken)
            for _ in range(1000):
                before = time.time()
                client.sendall(b"hello")
                data, ancillary, _, _ = taken.recvmsg(100, kernel.ANCILLARY_BYTES)
                stamp = kernel.stamp_of(ancillary)
                assert data == b"hello"
                if stamp is not None:
                    break
                time.sleep(0.001)
            assert stamp is not None
            assert before - 0.001 <= stamp <= time.time() + 0.001


def test_no_stamp_is_none() -> None:
    """Other control messages, and short ones, are passed over."""
    assert kernel.stamp_of([]) is None
    assert kernel.stamp_of([(socket.SOL_SOCKET, 1, b"\0" * 16)]) is None
    assert kernel.stamp_of([(socket.SOL_SOCKET, 35, b"\0" * 4)]) is None
    given = struct.pack("@ll", 5, 250_000_000)
    assert kernel.stamp_of([(socket.SOL_SOCKET, 35, given)]) == 5.25


def test_the_best_of_three_samples_counts() -> None:
    """A sample that was interrupted between the clocks is not the one that is used."""
    clock = iter([10.0, 10.4, 11.0, 11.0, 12.0, 12.5])
    wall = itertools.count(1000.2, 1.0)
    found = kernel.sample(lambda: next(clock), lambda: next(wall))
    assert found.at == 11.0
    assert found.seconds == pytest.approx(990.2)


def test_a_stamp_becomes_monotonic() -> None:
    """By the offset between the clocks, slewing spread evenly; never after it was read."""
    begin, end = Offset(at=10.0, seconds=1000.0), Offset(at=20.0, seconds=1000.002)
    assert kernel.monotonic(1015.001, begin, end, latest=15.0) == pytest.approx(15.0)
    assert kernel.monotonic(1015.0, begin, begin, latest=15.0) == 15.0
    assert kernel.monotonic(1019.0, begin, end, latest=15.0) == 15.0


def test_a_clock_that_stepped_is_noticed() -> None:
    """A jump is one, slewing is none."""
    begin = Offset(at=10.0, seconds=1000.0)
    assert not kernel.stepped(begin, Offset(at=110.0, seconds=1000.04))
    assert kernel.stepped(begin, Offset(at=110.0, seconds=1001.0))
    assert kernel.stepped(begin, Offset(at=11.0, seconds=999.0))


def test_stamping_goes_on_while_it_is_kept() -> None:
    """An idle socket holds it; closing it lets go."""
    idle = kernel.keep_stamping()
    assert idle.getsockopt(socket.SOL_SOCKET, 35) == 1
    idle.close()
