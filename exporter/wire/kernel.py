"""When the kernel received what was read: SO_TIMESTAMPNS, and its wall clock made monotonic."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# asm-generic/socket.h; the control message has the option's number. Python has no name for it.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)

# adjtime may slew by 500 ppm; what moved further than that has stepped.
_SLEW_RATIO = 500e-6
_SAMPLING_SECONDS = 0.002


def ask_for_stamps(sock: socket.socket) -> bool:
    """Ask for receive times with each recvmsg; False where the system has none."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def keep_stamping() -> socket.socket:
    """Return an idle socket that has receive times; while it is open the kernel takes them.

    The kernel begins to stamp what arrives some milliseconds after the first socket asks, and what
    it did not stamp on arrival gets the time of the read.
    """
    idle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ask_for_stamps(idle)
    return idle


def stamp_of(ancillary: Sequence[tuple[int, int, bytes]]) -> float | None:
    """Return the receive time of the read's last segment, unix seconds; None when not given."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return float(seconds + nanoseconds * 1e-9)
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Offset:
    """Wall clock less monotonic clock, in seconds, at one monotonic moment."""

    at: float
    seconds: float


def sample(clock: Callable[[], float], wall: Callable[[], float] = time.time) -> Offset:
    """Sample the offset; the best of three, since one may be interrupted between the clocks."""
    best: tuple[float, Offset] | None = None
    for _ in range(3):
        before, now, after = clock(), wall(), clock()
        middle = (before + after) / 2
        if best is None or after - before < best[0]:
            best = (after - before, Offset(at=middle, seconds=now - middle))
    assert best is not None  # noqa: S101 - three rounds were made
    return best[1]


def stepped(begin: Offset, end: Offset) -> bool:
    """Say whether the wall clock jumped between two samples, beyond what slewing explains."""
    allowed = _SAMPLING_SECONDS + _SLEW_RATIO * abs(end.at - begin.at)
    return abs(end.seconds - begin.seconds) > allowed


def monotonic(stamp: float, begin: Offset, end: Offset, *, latest: float) -> float:
    """Convert a receive time, slewing spread evenly; never after it was read (*latest*)."""
    span = end.at - begin.at
    part = 0.0 if span <= 0 else min(1.0, max(0.0, (latest - begin.at) / span))
    return min(latest, stamp - (begin.seconds + part * (end.seconds - begin.seconds)))


def converter(
    begin: Offset, end: Offset, *, earliest: float
) -> Callable[[float, float | None], float]:
    """Make what turns a time of reading and a receive time, where there is one, into one time."""

    def convert(at: float, stamp: float | None) -> float:
        return at if stamp is None else max(earliest, monotonic(stamp, begin, end, latest=at))

    return convert
