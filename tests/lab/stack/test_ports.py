"""Free addresses: distinct, free now, and not where the kernel takes its own."""

from __future__ import annotations

import socket

import pytest

from lab.stack import ports
from lab.stack.errors import StackError
from lab.stack.ports import free_addresses


def test_each_name_gets_an_address_of_its_own_that_can_be_bound() -> None:
    """Many at once never share one, and a program can listen there at once."""
    addresses = free_addresses([f"name:{number}" for number in range(100)])
    assert len(set(addresses.values())) == 100
    for address in list(addresses.values())[:5]:
        host, _, port = address.partition(":")
        assert int(port) < 32_768
        with socket.socket() as listener:
            listener.bind((host, int(port)))


def test_a_taken_port_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that somebody listens on is passed over; where all are taken, that is said."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setattr(ports, "_PORTS", range(port, port + 1))
        monkeypatch.setattr(ports, "_TRIES", 1)
        with pytest.raises(StackError, match="all taken"):
            free_addresses(["name:1"])
