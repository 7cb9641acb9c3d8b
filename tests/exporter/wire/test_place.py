"""Where a request goes."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from exporter.address import ForbiddenAddressError
from exporter.target import Reason
from exporter.wire.failure import FailedError
from exporter.wire.place import place_of, resolve


@pytest.mark.parametrize(
    ("url", "authority", "path", "port"),
    [
        ("http://h", "h", "/", 80),
        ("http://h:80/a", "h", "/a", 80),
        ("https://h/a?b=c%20d", "h", "/a?b=c%20d", 443),
        ("https://h:8443/", "h:8443", "/", 8443),
        ("http://[::1]:9/x", "[::1]:9", "/x", 9),
        ("http://exämple.com/ü", "xn--exmple-cua.com", "/%C3%BC", 80),
    ],
)
def test_an_address_is_read(url: str, authority: str, path: str, port: int) -> None:
    """Its usual port is left out of the Host header."""
    place = place_of(url)
    assert (place.authority, place.path, place.port) == (authority, path, port)


def test_a_literal_address_needs_no_resolver() -> None:
    """Its socket address is known at once."""
    endpoint = place_of("http://[::1]:9/").endpoint
    assert endpoint is not None
    assert (endpoint.family, endpoint.address) == (socket.AF_INET6, ("::1", 9))
    assert place_of("http://localhost/").endpoint is None


@pytest.mark.parametrize("url", ["ftp://h/", "http://", "http://h:x/", "nothing"])
def test_what_is_no_address_is_our_own_fault(url: str) -> None:
    """A kind that builds such a one has a defect."""
    with pytest.raises(FailedError) as refused:
        place_of(url)
    assert refused.value.reason is Reason.INTERNAL


def answers(*addresses: str) -> Any:
    """Make a resolver's answer."""

    async def getaddrinfo(_host: str, port: int, **_: Any) -> list[Any]:
        kinds = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in addresses]
        pairs = zip(kinds, addresses, strict=True)
        return [(kind, 1, 6, "", (address, port)) for kind, address in pairs]

    return getaddrinfo


async def test_families_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's first family leads, so that one that is broken costs one attempt."""
    loop = __import__("asyncio").get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", answers("::1", "::2", "10.0.0.1"), raising=False)
    found = await resolve(place_of("http://h:5/"), frozenset())
    assert [each.address[0] for each in found] == ["::1", "10.0.0.1", "::2"]


async def test_a_name_that_leads_to_metadata_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One such address among others is enough."""
    loop = __import__("asyncio").get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", answers("10.0.0.1", "169.254.169.254"), raising=False)
    with pytest.raises(ForbiddenAddressError):
        await resolve(place_of("http://h:5/"), frozenset())
