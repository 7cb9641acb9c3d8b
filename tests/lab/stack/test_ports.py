"""Free addresses: distinct, free, this process's own, and not where the kernel takes its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterable

import pytest

from lab.stack.errors import StackError
from lab.stack.ports import Block, free_addresses
from tests.tree import ROOT

_ASK = "from lab.stack.ports import free_addresses; print(*free_addresses(list('abc')).values())"


def test_each_name_gets_an_address_of_its_own_that_can_be_bound() -> None:
    """Many at once never share one, and a program can listen there at once."""
    addresses = free_addresses([f"name:{number}" for number in range(100)])
    assert len(set(addresses.values())) == 100
    for address in list(addresses.values())[:5]:
        host, _, port = address.partition(":")
        assert int(port) < 32_768
        with socket.socket() as listener:
            listener.bind((host, int(port)))


def test_an_address_is_not_given_again_soon() -> None:
    """A program that is down for a while finds its address as it left it."""
    first = free_addresses(["name:1"])
    assert first != free_addresses(["name:1"])


def test_another_process_gets_others() -> None:
    """Two runs at once never give out one port, whether or not anyone listens there."""
    ours = _blocks(free_addresses(["x", "y"]).values())
    done = subprocess.run(
        [sys.executable, "-c", _ASK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    theirs = _blocks(done.stdout.split())
    assert len(theirs) == 1
    assert not theirs & ours


def _blocks(addresses: Iterable[str]) -> set[int]:
    return {int(address.rpartition(":")[2]) // 200 for address in addresses}


def test_blocks_are_distinct_and_come_to_an_end() -> None:
    """What one holds no other takes until it is released; where all are taken, that is said."""
    ports = _free_range(4)
    first, second = Block(ports, 2), Block(ports, 2)
    assert {first.take(), second.take()} == {ports[1], ports[3]}
    with pytest.raises(StackError, match="all taken"):
        Block(ports, 2)
    first.release()
    Block(ports, 2).release()
    second.release()


def test_a_taken_port_is_not_given_out() -> None:
    """A port that somebody listens on is passed over; where all are taken, that is said."""
    ports = _free_range(3)
    block = Block(ports, 3)
    with socket.create_server(("127.0.0.1", ports[1])):
        assert [block.take(), block.take()] == [ports[2], ports[2]]
        with (
            socket.create_server(("127.0.0.1", ports[2])),
            pytest.raises(StackError, match="all taken"),
        ):
            block.take()
    block.release()


def _free_range(size: int) -> range:
    """Give ports of this process's own, one after the other."""
    addresses = free_addresses([str(number) for number in range(size)])
    found = sorted(int(address.rpartition(":")[2]) for address in addresses.values())
    if found[-1] - found[0] == size - 1:
        return range(found[0], found[-1] + 1)
    return _free_range(size)
