"""Free addresses on loopback for programs that must be told theirs before they start."""

from __future__ import annotations

import contextlib
import random
import socket
from typing import TYPE_CHECKING

from lab.stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "127.0.0.1"

# Below the kernel's usual ephemeral range (32768 and up): a port given out here is not taken by
# somebody's outgoing connection before its program listens.
_PORTS = range(20_000, 32_000)
_TRIES = 200


def free_addresses(names: Sequence[str]) -> dict[str, str]:
    """Give each name a `127.0.0.1:port` that nobody listens on now, no two the same.

    Nothing holds a port until its program starts. Raises StackError where none is free.
    """
    with contextlib.ExitStack() as held:
        # All are held until the last is found, so that no two names get one port.
        return {name: f"{HOST}:{_hold(held)}" for name in names}


def _hold(held: contextlib.ExitStack) -> int:
    for port in random.sample(_PORTS, _TRIES):
        listener = socket.socket()
        try:
            # Without SO_REUSEADDR, with which two of these could be bound to one port.
            listener.bind((HOST, port))
        except OSError:
            listener.close()
            continue
        held.enter_context(listener)
        return port
    problem = f"{_TRIES} ports between {_PORTS.start} and {_PORTS.stop} are all taken"
    raise StackError("free ports", problem, "end the programs that hold them")
