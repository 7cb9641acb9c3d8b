"""Which addresses no probe goes to unless the configuration names them."""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache
from typing import Final

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds keep their instance metadata outside the link-local ranges: AWS over IPv6, Alibaba,
# Oracle, Azure's wire server.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
# Each run asks again of the same addresses, and reading one takes as long as sending to it.
_MOST_KNOWN: Final = 16_384
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(Exception):
    """An address that is refused; the text says which."""


@lru_cache(maxsize=_MOST_KNOWN)
def literal(host: str) -> _Address | None:
    """Read a host as an address, None when it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def family_of(version: int | None) -> socket.AddressFamily:
    """Return what to have names resolved to: IPv4, IPv6, or both for None."""
    both = socket.AF_UNSPEC
    return {4: socket.AF_INET, 6: socket.AF_INET6}.get(version or 0, both)


@lru_cache(maxsize=_MOST_KNOWN)
def is_forbidden(address: _Address) -> bool:
    """Say whether an address is link-local, a cloud's metadata service, multicast or unspecified.

    An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is judged as the IPv4 address.
    """
    inner = _inner(address)
    return inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner in _METADATA


def _inner(address: _Address) -> _Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def refuse_forbidden(host: str, address: str, *, named: frozenset[str]) -> None:
    """Raise ForbiddenAddressError for a forbidden address that `named` does not hold."""
    found = literal(address)
    if found is not None and is_forbidden(found) and str(found) not in named:
        raise ForbiddenAddressError(f"{host} is {found}, a link-local or metadata address")


def allows(pattern: str, host: str, port: int) -> bool:
    """Say whether an `allow_targets` pattern allows a host.

    `*` stands for any part between dots, or alone for any host; a pattern without a port allows
    any.
    """
    wanted, colon, wanted_port = pattern.rpartition(":")
    if not colon or pattern.endswith("]"):
        wanted, wanted_port = pattern, "*"
    if wanted_port not in {"*", str(port)}:
        return False
    parts = (re.escape(part) for part in wanted.lower().split("*"))
    return wanted == "*" or re.fullmatch("[^.:]*".join(parts), host.lower()) is not None
