"""What a component is made of, and what it is told when it is built."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from lab.dials import DialBox


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What a component is told: its version, its peers' addresses, its folder for certificates.

    `seed` and `day_seconds` shape what is random and what has a rhythm.
    """

    addresses: Mapping[str, str]
    version: str
    certs_dir: Path
    seed: int = 1
    day_seconds: float = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Listening:
    """One compose address that a component listens on, with TLS or without."""

    name: str
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """A component ready to be served: its application, its dials, where it listens."""

    app: web.Application
    dials: DialBox[Any]
    listens: tuple[Listening, ...] = ()
