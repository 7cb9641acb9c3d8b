"""Addresses: the shipped names, and where they really are."""

from __future__ import annotations

import pytest

from lab import addresses


def test_the_shipped_ports_are_kept_where_nothing_is_said() -> None:
    """A pair replaces one address; all others are the shipped ones on the host."""
    found = addresses.parse(["chat:8000=127.0.0.1:4000"], "0.0.0.0")
    assert found["chat:8000"] == "127.0.0.1:4000"
    assert found["scorer:8002"] == "0.0.0.0:8002"
    assert set(found) == set(addresses.SHIPPED)


def test_peers_reach_a_wildcard_through_loopback() -> None:
    """Where a component listens on every address, its peers use this machine's own."""
    where = {"a": "0.0.0.0:1", "b": "[::]:2", "c": "10.0.0.1:3"}
    urls = [addresses.url(where, name) for name in where]
    assert urls == ["http://127.0.0.1:1", "http://[::1]:2", "http://10.0.0.1:3"]


@pytest.mark.parametrize(
    "pair",
    ["chat", "chat:8000", "nobody:1=h:2", "chat:8000=h", "chat:8000=h:x", "chat:8000=h:70000"],
)
def test_a_wrong_pair_is_refused_with_its_remedy(pair: str) -> None:
    """What is no pair, names nobody, or has no port is named."""
    with pytest.raises(ValueError, match="address"):
        addresses.parse([pair], "127.0.0.1")
