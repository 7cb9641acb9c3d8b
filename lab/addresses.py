"""Where the lab's components are: compose names on one side, real sockets on the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SHIPPED = (
    "gateway:8080",
    "gateway:8443",
    "chat:8000",
    "embeddings:8001",
    "scorer:8002",
    "features:8003",
    "lab:8090",
)
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}  # noqa: S104 - read, not bound


def split(address: str) -> tuple[str, int]:
    """Split `host:port` (an IPv6 host in brackets); raises ValueError with a remedy."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"address {address!r}: no port; write host:port")
    return host, int(port)


def bind_host(host: str) -> str:
    """Return the host as a socket takes it, without the brackets of IPv6."""
    return host.removeprefix("[").removesuffix("]")


def shipped(host: str) -> dict[str, str]:
    """Return the address of each compose name with its usual port on this host."""
    return {name: f"{host}:{split(name)[1]}" for name in SHIPPED}


def parse(pairs: Iterable[str], host: str) -> dict[str, str]:
    """Return the shipped addresses on this host, with `name:port=host:port` pairs in their place.

    Raises ValueError when a pair names no component of the lab.
    """
    found = shipped(host)
    for pair in pairs:
        name, equals, address = pair.partition("=")
        if not equals or name not in found:
            raise ValueError(
                f"address {pair!r}: not NAME=HOST:PORT; NAME is one of {', '.join(SHIPPED)}"
            )
        split(address)
        found[name] = address
    return found


def url(addresses: Mapping[str, str], name: str, scheme: str = "http") -> str:
    """Return the address of a component as its peers on this machine reach it."""
    host, port = split(addresses[name])
    return f"{scheme}://{_WILDCARDS.get(host, host)}:{port}"
