"""Free addresses on loopback for programs that must be told theirs before they start."""

from __future__ import annotations

import atexit
import random
import socket
from typing import TYPE_CHECKING

from lab.stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "127.0.0.1"

# Below the kernel's usual ephemeral range (32768 and up): a port given out here is not taken by
# somebody's outgoing connection before its program listens, or while it is restarted.
_PORTS = range(20_000, 32_000)
_BLOCK = 200


class Block:
    """Consecutive ports that belong to this process alone, as far as everybody asks here.

    The first one is held for as long as the process lives, which tells the others that the block
    is taken; the rest are given out in turn, so that a port comes back as late as can be.
    """

    def __init__(self, ports: range = _PORTS, size: int = _BLOCK) -> None:
        """Take a block of *size* at random; raises StackError where all are taken."""
        starts = ports[::size]
        for start in random.sample(starts, len(starts)):
            # Without SO_REUSEADDR, with which two could be bound to one port.
            held = socket.socket()
            try:
                held.bind((HOST, start))
            except OSError:
                held.close()
                continue
            self._held = held
            self._ports = range(start + 1, min(start + size, ports.stop))
            self._next = 0
            return
        raise _none_free(ports)

    def take(self) -> int:
        """Give the next port that nobody listens on; raises StackError where there is none."""
        for _ in self._ports:
            port = self._ports[self._next]
            self._next = (self._next + 1) % len(self._ports)
            if _is_free(port):
                return port
        raise _none_free(self._ports)

    def release(self) -> None:
        """Let another process have the block."""
        self._held.close()


_blocks: list[Block] = []


def free_addresses(names: Sequence[str]) -> dict[str, str]:
    """Give each name a `127.0.0.1:port` that nobody listens on now, no two the same.

    No other process is given them here while this one lives, also not while their programs are
    down. Raises StackError where none is free.
    """
    if not _blocks:
        _blocks.append(Block())
        atexit.register(_blocks[0].release)
    ports: list[int] = []
    while len(ports) < len(names):
        port = _blocks[0].take()
        if port in ports:
            raise _none_free(_PORTS)
        ports.append(port)
    return {name: f"{HOST}:{port}" for name, port in zip(names, ports, strict=True)}


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def _none_free(ports: range) -> StackError:
    problem = f"the ports between {ports.start} and {ports.stop} are all taken"
    return StackError("free ports", problem, "end the programs that hold them")
