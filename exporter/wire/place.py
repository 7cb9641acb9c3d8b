"""Where a request goes: an address read once, and what its host resolves to."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from yarl import URL

from exporter.address import family_of, is_forbidden, literal, refuse_forbidden
from exporter.target import Reason
from exporter.wire.failure import FailedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """An http or https address in the parts that a request needs.

    `endpoint` is there, and `forbidden` may be, where the host is written as an address.
    """

    secure: bool
    host: str
    port: int
    authority: str
    path: str
    url: str
    endpoint: Endpoint | None
    forbidden: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """A socket address."""

    family: int
    address: tuple[Any, ...]


@lru_cache(maxsize=16_384)
def place_of(url: str) -> Place:
    """Read an address; raises FailedError when it is none."""
    try:
        read = URL(url)
        host, port = read.raw_host, read.port
    except ValueError:
        host, port = None, None
    if not host or port is None or read.scheme not in {"http", "https"}:
        raise FailedError(Reason.INTERNAL, "the request could not be made (no http address)")
    found = literal(host)
    usual = port == (443 if read.scheme == "https" else 80)
    shown = f"[{host}]" if ":" in host else host
    endpoint = None
    if found is not None:
        family = family_of(found.version)
        endpoint = Endpoint(family=family, address=(str(found), port))
    return Place(
        secure=read.scheme == "https",
        host=host,
        port=port,
        authority=shown if usual else f"{shown}:{port}",
        path=read.raw_path_qs or "/",
        url=str(read),
        endpoint=endpoint,
        forbidden=found is not None and is_forbidden(found),
    )


def of_version(found: tuple[Endpoint, ...], version: int | None) -> tuple[Endpoint, ...]:
    """Keep the addresses of one version of IP, 4 or 6; raises FailedError (dns) where none is."""
    if version is None:
        return found
    family = family_of(version)
    kept = tuple(each for each in found if each.family == family)
    if not kept:
        raise FailedError(Reason.DNS, f"there is no IPv{version} address")
    return kept


async def resolve(place: Place, named: frozenset[str]) -> tuple[Endpoint, ...]:
    """Resolve a name with the system's resolver, the families in turn (RFC 8305, section 4).

    Raises FailedError (dns) and ForbiddenAddressError.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FailedError(Reason.DNS, "the name does not resolve") from None
    for *_, address in found:
        refuse_forbidden(place.host, str(address[0]), named=named)
    first = found[0][0]
    same = [Endpoint(family=f, address=a) for f, *_, a in found if f == first]
    other = [Endpoint(family=f, address=a) for f, *_, a in found if f != first]
    return tuple(each for pair in zip_longest(same, other) for each in pair if each is not None)
